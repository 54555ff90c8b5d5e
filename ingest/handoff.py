"""The mailbox between two threads: the camera's own puts in, the event loop takes out."""

import asyncio
import threading

from andon.clock import Clock
from andon.messages import CameraStatus, Frame
from ingest.mailbox import Mailbox, Message


class Handoff:
    """One camera's mailbox, its lock, and who is woken by what."""

    def __init__(self, mailbox: Mailbox, clock: Clock) -> None:
        """From within the event loop that takes out."""
        self._mailbox = mailbox
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Condition()
        self._session: str | None = None
        self._captured = 0
        self._total = 0
        self._eased = asyncio.Event()
        self.changed = asyncio.Event()
        """Something may be there to take, or the end has come."""
        self.closed = False
        """Nothing more will come."""

    # ---- the capture thread

    def open(self, session: str) -> None:
        """Frames of this session are taken in, until it is sealed. After the end none is opened any more."""
        with self._lock:
            if not self.closed:
                self._session, self._captured = session, 0

    def put(self, frame: Frame, *, wait: bool) -> int | None:
        """Number of frames given up for this one; None: its session is sealed, and it does not count as captured.

        `wait`: block while there is no room, for a source that can be slowed.
        """
        with self._lock:
            if wait:
                self._lock.wait_for(lambda: self._sealed(frame) or self._mailbox.has_room(len(frame.payload)))
            if self._sealed(frame):
                return None
            given_up = self._mailbox.put(frame, self._clock.now())
            self._captured = frame.seq + 1
            self._total += 1
            self._loop.call_soon_threadsafe(self.changed.set)
            return given_up

    def _sealed(self, frame: Frame) -> bool:
        return self._session != frame.session

    # ---- the event loop

    @property
    def session(self) -> str | None:
        """The one that is open."""
        return self._session

    @property
    def progress(self) -> tuple[str | None, int]:
        """The open session, and how many of its frames have been captured."""
        with self._lock:
            return self._session, self._captured

    @property
    def total(self) -> int:
        """Frames captured in all sessions."""
        return self._total

    @property
    def drained(self) -> bool:
        with self._lock:
            return self.closed and self._mailbox.empty

    def seal(self) -> tuple[str, int] | None:
        """Take no further frame of the open session, and let go a capture that waits for room.

        Returns the session and how many frames were captured in it; None if none is open.
        """
        with self._lock:
            ended = (self._session, self._captured) if self._session is not None else None
            self._session = None
            self._captured = 0
            self._lock.notify_all()
            return ended

    def tell(self, status: CameraStatus) -> None:
        with self._lock:
            self._mailbox.tell(status)
        self.changed.set()

    def end(self, status: CameraStatus) -> None:
        with self._lock:
            self._mailbox.end(status)
        self.changed.set()

    def take(self) -> Message | None:
        with self._lock:
            message = self._mailbox.take(self._clock.now())
            self._lock.notify_all()
        if isinstance(message, CameraStatus):
            self._eased.set()
        return message

    async def few_sessions(self, below: int) -> None:
        """Wait until the last words of fewer than `below` sessions wait for the broker."""
        while self._sessions() >= below:
            self._eased.clear()
            await self._eased.wait()

    def _sessions(self) -> int:
        with self._lock:
            return self._mailbox.sessions

    def settled(self, message: Message) -> None:
        if isinstance(message, Frame):
            with self._lock:
                self._mailbox.settled(message)
                self._lock.notify_all()

    def close(self) -> tuple[str, int] | None:
        """Seal, and open no session any more."""
        with self._lock:
            self.closed = True
        self.changed.set()
        return self.seal()
