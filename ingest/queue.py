"""The bounded queue between a camera and the broker: one class for each policy.

Everything of a session that is put in comes out exactly once and in the order of its numbers: as a frame, or within a
range of shed frames. A frame that is under way to the broker counts towards the bounds until it is acknowledged, so
the bounds are what a killed process loses. No class here is thread-safe; see `ingest.bridge`.
"""

from collections import deque
from collections.abc import Sequence
from typing import Protocol

from andon.clock import Clock
from andon.messages import CameraStatus, Frame, Shed, ShedReason

Message = Frame | Shed | CameraStatus
STATUSES = 64
"""Statuses that may wait while the broker is away; beyond it the oldest are dropped."""


class FrameQueue(Protocol):
    """Frames, ranges of shed frames, and the final status of each session."""

    shed_reason: ShedReason
    """Why `put` sheds frames."""

    @property
    def depth(self) -> int:
        """Frames in memory that wait or are under way."""
        ...

    @property
    def empty(self) -> bool:
        """Nothing waits; frames may be under way."""
        ...

    @property
    def sessions(self) -> int:
        """Ended sessions whose final status waits in memory."""
        ...

    def has_room(self, size_bytes: int) -> bool:
        """Whether a frame of this size fits and nothing has to be shed or spooled for it."""
        ...

    def put(self, frame: Frame) -> int:
        """Take a frame in, or shed as the policy says. Returns how many frames were shed."""
        ...

    def end(self, status: CameraStatus) -> None:
        """Take a session's final status in: it stays behind the session's frames."""
        ...

    def take(self) -> Message | None:
        """The next message to send; None: nothing waits."""
        ...

    def settled(self, message: Message) -> None:
        """The broker has acknowledged `message`, the very object that `take` returned."""
        ...


class Lossless:
    """Keeps the oldest frames: while it is full, new frames are shed."""

    def __init__(self, frames: int, size_bytes: int, clock: Clock, shed_reason: ShedReason = "mailbox_full") -> None:
        """A frame that is larger than `size_bytes` fits if it is alone."""
        self.shed_reason = shed_reason
        self.max_frames = frames
        self.max_bytes = size_bytes
        self.size_bytes = 0
        self._clock = clock
        self._depth = 0
        self._entries: deque[Message] = deque()

    @property
    def depth(self) -> int:
        return self._depth

    @property
    def empty(self) -> bool:
        return not self._entries

    @property
    def sessions(self) -> int:
        return sum(isinstance(entry, CameraStatus) for entry in self._entries)

    @property
    def first(self) -> Message | None:
        """What `take` would return."""
        return self._entries[0] if self._entries else None

    def has_room(self, size_bytes: int) -> bool:
        return not self._depth or (self._depth < self.max_frames and self.size_bytes + size_bytes <= self.max_bytes)

    def put(self, frame: Frame) -> int:
        if self.has_room(len(frame.payload)):
            self.enter(frame)
            return 0
        _append(self._entries, shed_range(frame, self.shed_reason, self._clock))
        return 1

    def end(self, status: CameraStatus) -> None:
        self._entries.append(status)

    def take(self) -> Message | None:
        return self._entries.popleft() if self._entries else None

    def settled(self, message: Message) -> None:
        if isinstance(message, Frame):
            self._count(message, -1)

    def enter(self, message: Message) -> None:
        """Take a message in whatever the bounds."""
        self._entries.append(message)
        if isinstance(message, Frame):
            self._count(message, 1)

    def give_back(self, messages: Sequence[Message]) -> None:
        """Put back at the front, in their order, what was taken and not settled."""
        rest, self._entries = self._entries, deque(messages)
        for entry in rest:
            _append(self._entries, entry)

    def _count(self, frame: Frame, sign: int) -> None:
        self._depth += sign
        self.size_bytes += sign * len(frame.payload)


class Freshest(Lossless):
    """Keeps the newest frames: while it is full, the oldest are shed, and no frame older than `max_age_s` is sent."""

    def __init__(self, frames: int, size_bytes: int, clock: Clock, max_age_s: float) -> None:
        super().__init__(frames, size_bytes, clock)
        self._max_age_s = max_age_s
        self._stale_at_s: deque[float] = deque()
        """For each frame that waits, when it grows stale; monotonic, so that a step of the host's clock sheds none."""

    def put(self, frame: Frame) -> int:
        shed = 0
        while self._stale_at_s and not self.has_room(len(frame.payload)):
            self._shed_oldest()
            shed += 1
        return shed + super().put(frame)

    def enter(self, message: Message) -> None:
        super().enter(message)
        if isinstance(message, Frame):
            age_s = (self._clock.now() - message.captured_at).total_seconds()
            self._stale_at_s.append(self._clock.monotonic() + self._max_age_s - age_s)

    def take(self) -> Message | None:
        if not isinstance(self.first, Frame) or not self._first_is_stale:
            if isinstance(self.first, Frame):
                self._stale_at_s.popleft()
            return super().take()
        stale = self._drop_first("stale")
        while isinstance(self.first, Frame) and self._first_is_stale:
            merged = _merged(stale, shed_range(self.first, "stale", self._clock))
            if merged is None:
                break
            self._drop_first("stale")
            stale = merged
        return stale

    @property
    def _first_is_stale(self) -> bool:
        return self._clock.monotonic() > self._stale_at_s[0]

    def _drop_first(self, reason: ShedReason) -> Shed:
        frame = self._entries.popleft()
        assert isinstance(frame, Frame)
        self._stale_at_s.popleft()
        self._count(frame, -1)
        return shed_range(frame, reason, self._clock)

    def _shed_oldest(self) -> None:
        """The oldest frame becomes a range. Few entries stand before it: ranges are merged, ended sessions are few."""
        before: list[Message] = []
        while not isinstance(self._entries[0], Frame):
            before.append(self._entries.popleft())
        before.append(self._drop_first(self.shed_reason))
        rest, self._entries = self._entries, deque()
        for entry in before:
            _append(self._entries, entry)
        if rest:
            _append(self._entries, rest.popleft())
        self._entries.extend(rest)


class StatusQueue:
    """Changes of state and heartbeats, which overtake the frames."""

    def __init__(self) -> None:
        self._statuses: deque[CameraStatus] = deque()

    @property
    def empty(self) -> bool:
        return not self._statuses

    def put(self, status: CameraStatus) -> None:
        """A heartbeat replaces the one before it."""
        last = self._statuses[-1] if self._statuses else None
        if last is not None and _same_state(last, status):
            self._statuses.pop()
        elif len(self._statuses) >= STATUSES:
            self._statuses.popleft()
        self._statuses.append(status)

    def take(self) -> CameraStatus | None:
        return self._statuses.popleft() if self._statuses else None


def shed_range(frame: Frame, reason: ShedReason, clock: Clock) -> Shed:
    """The range of this one frame."""
    return Shed(
        camera_id=frame.camera_id,
        session=frame.session,
        first_seq=frame.seq,
        last_seq=frame.seq,
        reason=reason,
        at=clock.now(),
    )


def _append(entries: deque[Message], entry: Message) -> None:
    """Append; a range that continues the last one is merged into it."""
    merged = _merged(entries[-1], entry) if entries else None
    if merged is None:
        entries.append(entry)
    else:
        entries[-1] = merged


def _merged(one: Message, other: Message) -> Shed | None:
    if not isinstance(one, Shed) or not isinstance(other, Shed):
        return None
    if (one.session, one.reason) != (other.session, other.reason) or one.last_seq + 1 != other.first_seq:
        return None
    return one.model_copy(update={"last_seq": other.last_seq, "at": other.at})


def _same_state(one: CameraStatus, other: CameraStatus) -> bool:
    return (one.state, one.session, one.detail) == (other.state, other.session, other.detail)
