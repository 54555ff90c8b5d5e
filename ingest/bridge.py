"""Carries a camera's frames from its capture thread to the event loop, and lets the spool's thread at the queue.

It owns the lock of the queue, and with it the account of the open session: its name and how many frames were captured.
"""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta

from andon.clock import Clock
from andon.messages import CameraStatus, Frame, new_session
from ingest.queue import Lossless, Message, StatusQueue


class Bridge:
    """One camera's queue, its lock, and who is woken when it changes."""

    def __init__(self, queue: Lossless, clock: Clock, tenure: int = 0) -> None:
        """From within the event loop that takes messages out. `tenure`: the ingester's, for the sessions' names."""
        self.shed_reason = queue.shed_reason
        """Why frames are shed here."""
        self.session: str | None = None
        """The open session."""
        self.total = 0
        """Frames captured in all sessions."""
        self.changed = asyncio.Event()
        """There may be something to take, or the end has come."""
        self.closed = False
        """No session will be opened any more."""
        self._queue = queue
        self._statuses = StatusQueue()
        self._clock = clock
        self._tenure = tenure
        self._loop = asyncio.get_running_loop()
        self._lock = threading.RLock()
        self._room = threading.Condition(self._lock)
        """Wakes a capture that waits for room."""
        self._work = threading.Condition(self._lock)
        """Wakes the spool's thread."""
        self._has_work: Callable[[], bool] = lambda: False
        self._session_began: datetime | None = None
        self._captured = 0
        """In the open session."""
        self._newest_sent: Frame | None = None
        self._newest_put_s = 0.0
        self._status_taken = asyncio.Event()

    # ---- the capture thread

    def begin(self) -> str:
        """Open a session that begins now. Its name sorts after all before it, even if the host's clock was set back."""
        at = self._clock.now()
        if self._session_began is not None:
            at = max(at, self._session_began + timedelta(microseconds=1))
        self._session_began = at
        session = new_session(at, self._tenure)
        self.open(session)
        return session

    def open(self, session: str) -> None:
        """Accept this session's frames until it is sealed; ignored once the bridge is closed."""
        with self._lock:
            if not self.closed:
                self.session, self._captured = session, 0

    def put(self, frame: Frame, *, wait: bool) -> int | None:
        """The number of frames shed for this one; None: its session is sealed, and it does not count as captured.

        `wait`: block while there is no room, for a source that can be slowed.
        """
        with self._lock:
            if wait:
                self._room.wait_for(lambda: self._sealed(frame) or self._queue.has_room(len(frame.payload)))
            if self._sealed(frame):
                return None
            shed = self._queue.put(frame)
            self._captured = frame.seq + 1
            self._newest_put_s = self._clock.monotonic()
            self.total += 1
            if not self.changed.is_set():  # else the loop has yet to look; it clears the event before it takes
                self._loop.call_soon_threadsafe(self.changed.set)
            self._wake_spool()
            return shed

    def _sealed(self, frame: Frame) -> bool:
        return self.session != frame.session

    # ---- the event loop

    @property
    def progress(self) -> tuple[str | None, int]:
        """The open session, and how many of its frames have been captured."""
        with self._lock:
            return self.session, self._captured

    def newest_sent_since(self, since_s: float) -> bool:
        """Whether the newest captured frame was handed to the publisher, and was captured since this monotonic time.

        By the host's clock, which may be set back, an old frame could prove for hours that the camera delivers.
        """
        with self._lock:
            sent = self._newest_sent
            newest = sent is not None and (sent.session, sent.seq + 1) == self.progress
            return newest and self._newest_put_s >= since_s

    @property
    def drained(self) -> bool:
        with self._lock:
            return self.closed and self._queue.empty and self._statuses.empty

    def seal(self) -> tuple[str, int] | None:
        """Accept no further frame of the open session, and release a capture that waits for room.

        Returns the session and how many frames were captured in it; None if none is open.
        """
        with self._lock:
            session, captured = self.progress
            self.session, self._captured = None, 0
            self._room.notify_all()
            return None if session is None else (session, captured)

    def close(self) -> tuple[str, int] | None:
        """Seal, and open no session any more."""
        with self._lock:
            self.closed = True
        self.changed.set()
        return self.seal()

    def announce(self, status: CameraStatus) -> None:
        """A change of state or a heartbeat: it overtakes the frames."""
        with self._lock:
            self._statuses.put(status)
        self.changed.set()

    def end(self, status: CameraStatus) -> None:
        """A session's final status: it stays behind the session's frames."""
        with self._lock:
            self._queue.end(status)
            self._wake_spool()
        self.changed.set()

    def take(self) -> Message | None:
        with self._lock:
            message = self._statuses.take() or self._queue.take()
            self._room.notify_all()
            self._wake_spool()
            if isinstance(message, Frame):
                self._newest_sent = message
        if isinstance(message, CameraStatus):
            self._status_taken.set()
        return message

    def settled(self, message: Message) -> None:
        """The broker has acknowledged `message`, the very object that `take` returned."""
        if isinstance(message, CameraStatus) and not message.final:
            return
        with self._lock:
            self._queue.settled(message)
            self._room.notify_all()
            self._wake_spool()

    async def sessions_below(self, limit: int) -> None:
        """Wait until the final statuses of fewer than `limit` sessions wait for the broker."""
        while True:
            with self._lock:
                if self._queue.sessions < limit:
                    return
            self._status_taken.clear()
            await self._status_taken.wait()

    # ---- the spool's thread

    def serve(self, has_work: Callable[[], bool]) -> None:
        """`has_work` is called under the lock: whether the spool's thread has something to do."""
        self._has_work = has_work

    def wait_for_work(self, timeout_s: float | None) -> None:
        with self._lock:
            self._work.wait_for(self._has_work, timeout_s)

    @contextmanager
    def exchange(self) -> Iterator[None]:
        """Under the lock; at the end everybody looks at the queue again."""
        with self._lock:
            yield
            self._room.notify_all()
            self._work.notify_all()
        self.call_loop(self.changed.set)

    def call_loop(self, call: Callable[[], object]) -> None:
        """Call on the event loop, from any thread; nothing happens if the loop has ended."""
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(call)

    def _wake_spool(self) -> None:
        """Wake the spool's thread only if there is work; most of the time there is none."""
        if self._has_work():
            self._work.notify_all()
