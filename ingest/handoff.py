"""The mailbox between threads: the camera's own puts in, the event loop takes out, the spool's keeps what waits."""

import asyncio
import threading
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from andon.clock import Clock
from andon.messages import CameraStatus, Frame, ShedReason, new_session
from ingest.backlog import Backlog
from ingest.mailbox import Mailbox
from ingest.waiting import Message

BacklogState = Literal["empty", "waiting", "on disk"]
"""`waiting`: something in memory is to be stored."""


@dataclass(frozen=True, slots=True)
class SpoolJob:
    """What the spool's thread is to do next, in this order."""

    settled: tuple[int, ...]
    """Segments of which a record has arrived, once for each."""
    fetch: bool
    """The mailbox has room for the oldest on disk."""
    store: Message | None
    """Goes behind all that is on disk; `stored` follows."""


class Handoff:
    """One camera's mailbox, its lock, and who is woken by what."""

    def __init__(self, mailbox: Mailbox, clock: Clock, backlog: Backlog | None = None) -> None:
        """From within the event loop that takes out. `backlog`: the mailbox's own, which a `Spooler` serves."""
        self._mailbox = mailbox
        self._backlog = backlog
        self._settled: list[int] = []
        self._noted: BacklogState = "empty"
        """What the spool's thread has heard of the backlog."""
        self._clock = clock
        self._loop = asyncio.get_running_loop()
        self._lock = threading.RLock()
        self._room = threading.Condition(self._lock)
        """What a capture waits for that can be slowed."""
        self._work = threading.Condition(self._lock)
        """What the spool's thread waits for."""
        self._session: str | None = None
        self._begun_at: datetime | None = None
        self._captured = 0
        self._total = 0
        self._sent: tuple[str, int, datetime] | None = None
        """Session, number and capture time of the frame that was taken out last."""
        self._eased = asyncio.Event()
        self.known = asyncio.Event()
        """What an earlier process left on disk has been counted, where there may be any."""
        if backlog is None:
            self.known.set()
        self.changed = asyncio.Event()
        """Something may be there to take, or the end has come."""
        self.closed = False
        """Nothing more will come."""
        self._abandoned = False

    @property
    def shed_reason(self) -> ShedReason:
        """Why frames are given up here."""
        return "mailbox_full" if self._backlog is None else "spool_full"

    # ---- the capture thread

    def begin(self) -> str:
        """Open a session that begins now. Its name sorts after all before it, though the host's clock was set back."""
        with self._lock:
            at = self._clock.now()
            if self._begun_at is not None:
                at = max(at, self._begun_at + timedelta(microseconds=1))
            self._begun_at = at
        session = new_session(at)
        self.open(session)
        return session

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
                self._room.wait_for(lambda: self._sealed(frame) or self._mailbox.has_room(len(frame.payload)))
            if self._sealed(frame):
                return None
            given_up = self._mailbox.put(frame, self._clock.now())
            self._captured = frame.seq + 1
            self._total += 1
            if not self.changed.is_set():  # else the loop, which clears it before it takes, has yet to look
                self._loop.call_soon_threadsafe(self.changed.set)
            self._tell_spool()
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

    def told_since(self, at: datetime) -> bool:
        """Whether the newest frame captured is on its way to the broker, and was captured no earlier than `at`."""
        with self._lock:
            if self._sent is None:
                return False
            session, seq, captured_at = self._sent
            return session == self._session and seq + 1 == self._captured and captured_at >= at

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
            self._room.notify_all()
            return ended

    def tell(self, status: CameraStatus) -> None:
        with self._lock:
            self._mailbox.tell(status)
        self.changed.set()

    def end(self, status: CameraStatus) -> None:
        with self._lock:
            self._mailbox.end(status)
            self._tell_spool()
        self.changed.set()

    def take(self) -> Message | None:
        with self._lock:
            message = self._mailbox.take(self._clock.now())
            self._room.notify_all()
            self._tell_spool()
            if isinstance(message, Frame):
                self._sent = message.session, message.seq, message.captured_at
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
        with self._lock:
            segment = self._mailbox.settled(message)
            if segment is not None:
                self._settled.append(segment)
            self._room.notify_all()
            self._tell_spool()

    def close(self) -> tuple[str, int] | None:
        """Seal, and open no session any more."""
        with self._lock:
            self.closed = True
        self.changed.set()
        return self.seal()

    # ---- the spool's thread

    def next_job(self, *, may_store: bool, timeout_s: float | None) -> SpoolJob | None:
        """Wait for something to do, at most so long (then it is an empty job). None: there is no more to be done."""
        with self._lock:
            self._work.wait_for(lambda: self._abandoned or self._is_work(may_store=may_store), timeout_s)
            store = self._backlog.to_store() if may_store and self._backlog is not None else None
            if self._abandoned and store is None and not self._settled:
                return None
            settled = tuple(self._settled)
            self._settled.clear()
            return SpoolJob(settled, self._mailbox.wants_more and not self._abandoned, store)

    def _tell_spool(self) -> None:
        """Wakes its thread only for something to do: it looks after a camera that most often needs none."""
        if self._backlog is not None and self._is_work(may_store=True):
            self._work.notify_all()

    def _is_work(self, *, may_store: bool) -> bool:
        storing = may_store and self._backlog is not None and self._backlog.known and self._backlog.waiting
        return bool(self._settled) or self._mailbox.wants_more or storing or self._has_eased

    @property
    def _has_eased(self) -> bool:
        """Without the spool's thread: what waited for the disk went straight into the mailbox."""
        now = self._backlog_state
        return now != self._noted and (now == "empty" or self._noted == "waiting")

    def spooled(self, on_disk: int) -> None:
        """The spool holds so many records now: known from the first time on."""
        with self._lock:
            assert self._backlog is not None
            self._backlog.known, self._backlog.on_disk = True, on_disk
        self._wake(self.known)
        self._wake()

    def fetched(self, message: Message, segment: int, on_disk: int) -> None:
        with self._lock:
            assert self._backlog is not None
            self._mailbox.fetched(message, segment)
            self._backlog.on_disk = on_disk
        self._wake()

    def stored(self, *, on_disk: bool) -> None:
        """What the job told to store lies on disk, or the disk has not taken it."""
        with self._lock:
            assert self._backlog is not None
            if on_disk:
                self._backlog.stored()
            else:
                self._backlog.kept()
        self._wake()

    def note_backlog(self) -> BacklogState:
        """How it stands. The spool's thread is woken when it stands better than it has noted."""
        with self._lock:
            self._noted = self._backlog_state
            return self._noted

    @property
    def _backlog_state(self) -> BacklogState:
        if self._backlog is None or not self._backlog.behind:
            return "empty"
        return "waiting" if self._backlog.waiting else "on disk"

    def leftover(self) -> list[Message]:
        """What only memory holds and the broker has not acknowledged, oldest first; for a process that ends now."""
        with self._lock:
            return self._mailbox.leftover()

    def abandon(self) -> None:
        """Nobody takes out any more: the spool's thread stores what it can, and ends."""
        with self._lock:
            self._abandoned = True
            self._work.notify_all()

    def _wake(self, event: asyncio.Event | None = None) -> None:
        with suppress(RuntimeError):  # the loop has ended before this thread
            self._loop.call_soon_threadsafe((event or self.changed).set)
