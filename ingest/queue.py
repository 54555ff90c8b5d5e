"""The bounded queue between a camera and the broker: one class for each policy.

A frame of video refers to those before it, back to its keyframe. So where one is shed, all up to the next keyframe are.

Everything of a session that is put in comes out exactly once and in the order of its numbers: as a frame, or within a
range of shed frames. A frame that is under way to the broker counts towards the bounds until it is acknowledged, so
the bounds are what a killed process loses. No class here is thread-safe; see `ingest.bridge`.
"""

from collections import deque

from andon.clock import Clock
from andon.messages import CameraStatus, Frame, ShedRange, ShedReason

Message = Frame | ShedRange | CameraStatus
STATUSES = 64
"""Statuses that may wait while the broker is away; beyond it the oldest are dropped."""


class Lossless:
    """Keeps the oldest frames: while it is full, new frames are shed. The other policies differ from it."""

    def __init__(self, frames: int, size_bytes: int, clock: Clock, shed_reason: ShedReason = "mailbox_full") -> None:
        """A frame that is larger than `size_bytes` fits if it is alone."""
        self.shed_reason = shed_reason
        """Why `put` sheds frames."""
        self.size_bytes = 0
        self._max_frames = frames
        self._max_bytes = size_bytes
        self._clock = clock
        self._depth = 0
        self._entries: deque[Message] = deque()
        self._rest: ShedReason | None = None
        """Why the group of pictures of the frame that was put last has lost a frame; None: it has not."""

    @property
    def depth(self) -> int:
        """Frames in memory that wait or are under way."""
        return self._depth

    @property
    def empty(self) -> bool:
        """Nothing waits; frames may be under way."""
        return not self._entries

    @property
    def sessions(self) -> int:
        """Ended sessions whose final status waits in memory."""
        return sum(isinstance(entry, CameraStatus) for entry in self._entries)

    @property
    def first(self) -> Message | None:
        """The message that waits at the front."""
        return self._entries[0] if self._entries else None

    def has_room(self, size_bytes: int) -> bool:
        """Whether a frame of this size fits and nothing has to be shed or spooled for it."""
        return not self._depth or (self._depth < self._max_frames and self.size_bytes + size_bytes <= self._max_bytes)

    @property
    def half_full(self) -> bool:
        return 2 * self._depth >= self._max_frames or 2 * self.size_bytes >= self._max_bytes

    def sheds_rest(self, frame: Frame) -> bool:
        """Whether the next frame is shed whatever the room, because it refers to one that was shed."""
        if not depends(frame):
            self._rest = None
        return self._rest is not None

    def put(self, frame: Frame) -> int:
        """Take a frame in, or shed as the policy says. Returns how many frames were shed for want of room."""
        if self.sheds_rest(frame):
            return self._shed_newest(frame, self._rest or self.shed_reason)
        if self.has_room(len(frame.payload)):
            self.enter(frame)
            return 0
        return self._shed_newest(frame, self.shed_reason)

    def _shed_newest(self, frame: Frame, reason: ShedReason) -> int:
        self._rest = reason
        _append(self._entries, shed_range(frame, reason, self._clock))
        return int(reason == self.shed_reason)

    def end(self, status: CameraStatus) -> None:
        """Take a session's final status in: it stays behind the session's frames."""
        self.enter(status)

    def take(self) -> Message | None:
        """The next message to send; None: nothing waits."""
        return self._entries.popleft() if self._entries else None

    def settled(self, message: Message) -> None:
        """The broker has acknowledged `message`, the very object that `take` returned."""
        self._count(message, -1)

    def enter(self, message: Message) -> None:
        """Take a message in whatever the bounds."""
        self._entries.append(message)
        self._count(message, 1)

    def give_back(self, messages: list[Message]) -> None:
        """Put back at the front, in their order, what was taken and not settled."""
        for message in reversed(messages):
            _prepend(self._entries, message)

    def _count(self, message: Message, sign: int) -> None:
        if isinstance(message, Frame):
            self._depth += sign
            self.size_bytes += sign * len(message.payload)


class Freshest(Lossless):
    """Keeps the newest frames: while it is full, the oldest are shed, and no frame older than `max_age_s` is sent."""

    def __init__(self, frames: int, size_bytes: int, clock: Clock, max_age_s: float) -> None:
        super().__init__(frames, size_bytes, clock)
        self._max_age_s = max_age_s
        self._stale_at_s: deque[float] = deque()
        """For each frame that waits, when it grows stale; monotonic, so that a step of the host's clock sheds none."""

    def put(self, frame: Frame) -> int:
        shed = 0
        while self._stale_at_s and not self.sheds_rest(frame) and not self.has_room(len(frame.payload)):
            shed += self._shed_oldest(self.shed_reason)
        return shed + super().put(frame)

    def enter(self, message: Message) -> None:
        super().enter(message)
        if isinstance(message, Frame):
            age_s = (self._clock.now() - message.captured_at).total_seconds()
            self._stale_at_s.append(self._clock.monotonic() + self._max_age_s - age_s)

    def take(self) -> Message | None:
        while self._stale_at_s and self._clock.monotonic() > self._stale_at_s[0]:
            self._shed_oldest("stale")
        if isinstance(self.first, Frame):
            self._stale_at_s.popleft()
        return super().take()

    def _shed_oldest(self, reason: ShedReason) -> int:
        """The oldest frame becomes a range, with what refers to it. Returns how many frames were shed.

        Few entries stand before it: ranges are merged, ended sessions are few.
        """
        before: list[Message] = []
        while not isinstance(entry := self._entries.popleft(), Frame):
            before.append(entry)
        shed = [entry]
        while self._entries and isinstance(rest := self._entries[0], Frame) and depends(rest):
            shed.append(rest)
            self._entries.popleft()
        if not self._entries:
            self._rest = reason  # what refers to it may not have come yet
        for frame in shed:
            self._stale_at_s.popleft()
            self._count(frame, -1)
        merged = shed_range(entry, reason, self._clock).model_copy(update={"last_seq": shed[-1].seq})
        self.give_back([*before, merged])
        return len(shed)


class StatusQueue:
    """Changes of state and heartbeats, which overtake the frames."""

    def __init__(self) -> None:
        self._statuses: deque[CameraStatus] = deque(maxlen=STATUSES)

    @property
    def empty(self) -> bool:
        return not self._statuses

    def put(self, status: CameraStatus) -> None:
        """A heartbeat replaces the one before it."""
        if self._statuses and _same_state(self._statuses[-1], status):
            self._statuses.pop()
        self._statuses.append(status)

    def take(self) -> CameraStatus | None:
        return self._statuses.popleft() if self._statuses else None


def depends(frame: Frame) -> bool:
    """Whether it refers to frames before it."""
    return frame.content_type.startswith("video/") and not frame.keyframe


def shed_range(frame: Frame, reason: ShedReason, clock: Clock) -> ShedRange:
    """The range of this one frame."""
    return ShedRange(
        camera_id=frame.camera_id,
        session=frame.session,
        first_seq=frame.seq,
        last_seq=frame.seq,
        reason=reason,
        at=clock.now(),
    )


def _append(entries: deque[Message], entry: Message) -> None:
    """Append; a range that continues the last one is merged into it."""
    merged = _merged(entries.pop(), entry) if entries else [entry]
    entries.extend(merged)


def _prepend(entries: deque[Message], entry: Message) -> None:
    """Put before all others; a range that the first one continues is merged with it."""
    merged = _merged(entry, entries.popleft()) if entries else [entry]
    entries.extendleft(reversed(merged))


def _merged(one: Message, other: Message) -> list[Message]:
    """One range, if `other` continues `one`; else both."""
    if not isinstance(one, ShedRange) or not isinstance(other, ShedRange):
        return [one, other]
    if (one.session, one.reason) != (other.session, other.reason) or one.last_seq + 1 != other.first_seq:
        return [one, other]
    return [one.model_copy(update={"last_seq": other.last_seq, "at": other.at})]


def _same_state(one: CameraStatus, other: CameraStatus) -> bool:
    return (one.state, one.session, one.detail) == (other.state, other.session, other.detail)
