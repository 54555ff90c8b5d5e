"""The bounded hand-off from capture to the broker: what waits, in order, and what is given up when it is full (pure).

Everything of a session that is put in comes out exactly once and in the order of its numbers: as its frame, or within a
range of shed ones. Frames under way to the broker still count to the bounds, so they say what a killed process loses.
"""

from collections import deque
from dataclasses import dataclass
from datetime import datetime

from andon.messages import CameraStatus, Frame, Shed, ShedReason

Message = Frame | Shed | CameraStatus
STATUSES = 64
"""Changes of state that wait while the broker is away; beyond it the oldest are told no more."""


@dataclass(frozen=True, slots=True)
class Bounds:
    frames: int
    size_bytes: int
    max_age_s: float | None = None
    """`freshest`: when full, the oldest go, and none older than this is sent. None, `lossless`: the newest go."""


class Mailbox:
    """One camera's. Not thread-safe; see `Handoff`."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        self._entries: deque[Message] = deque()
        self._statuses: deque[CameraStatus] = deque()
        self._frames = 0
        self._size_bytes = 0
        self._waiting = 0

    @property
    def depth(self) -> int:
        """Frames that wait or are under way."""
        return self._frames

    @property
    def size_bytes(self) -> int:
        return self._size_bytes

    @property
    def empty(self) -> bool:
        """Nothing waits; frames may be under way."""
        return not self._entries and not self._statuses

    @property
    def sessions(self) -> int:
        """Ended sessions whose last word waits."""
        return sum(isinstance(entry, CameraStatus) for entry in self._entries)

    def has_room(self, size_bytes: int) -> bool:
        return self._frames < self._bounds.frames and self._size_bytes + size_bytes <= self._bounds.size_bytes

    def put(self, frame: Frame, now: datetime) -> int:
        """Put a frame in, or give up what the policy says. Returns how many frames were given up."""
        given_up = 0
        while self._bounds.max_age_s is not None and self._waiting and not self.has_room(len(frame.payload)):
            self._shed_oldest(now)
            given_up += 1
        if not self.has_room(len(frame.payload)):
            self._append(_shed(frame, "mailbox_full", now))
            return given_up + 1
        self._entries.append(frame)
        self._count(frame, 1)
        self._waiting += 1
        return given_up

    def tell(self, status: CameraStatus) -> None:
        """A change or a heartbeat: it overtakes the frames. A heartbeat takes the place of the one before it."""
        last = self._statuses[-1] if self._statuses else None
        if last is not None and (last.state, last.session, last.detail) == (
            status.state,
            status.session,
            status.detail,
        ):
            self._statuses.pop()
        elif len(self._statuses) >= STATUSES:
            self._statuses.popleft()
        self._statuses.append(status)

    def end(self, status: CameraStatus) -> None:
        """The session's last word: it stays behind its frames."""
        self._entries.append(status)

    def take(self, now: datetime) -> Message | None:
        """What is to be sent next. A frame stays within the bounds until it is `settled`."""
        if self._statuses:
            return self._statuses.popleft()
        if not self._entries:
            return None
        entry = self._entries.popleft()
        if not isinstance(entry, Frame):
            return entry
        self._waiting -= 1
        if not self._stale(entry, now):
            return entry
        return self._take_stale(entry, now)

    def settled(self, frame: Frame) -> None:
        """The broker has acknowledged it."""
        self._count(frame, -1)

    def _take_stale(self, frame: Frame, now: datetime) -> Shed:
        self._count(frame, -1)
        span = _shed(frame, "stale", now)
        while self._entries and isinstance(follower := self._entries[0], Frame) and self._stale(follower, now):
            merged = _merged(span, _shed(follower, "stale", now))
            if merged is None:
                break
            self._entries.popleft()
            self._waiting -= 1
            self._count(follower, -1)
            span = merged
        return span

    def _stale(self, frame: Frame, now: datetime) -> bool:
        max_age_s = self._bounds.max_age_s
        return max_age_s is not None and (now - frame.captured_at).total_seconds() > max_age_s

    def _shed_oldest(self, now: datetime) -> None:
        """The oldest frame that waits becomes a range, or part of the one before it. Few entries stand before it:
        ranges are merged, and ended sessions are few."""
        index = next(index for index, entry in enumerate(self._entries) if isinstance(entry, Frame))
        frame = self._entries[index]
        assert isinstance(frame, Frame)
        self._count(frame, -1)
        self._waiting -= 1
        self._entries[index] = _shed(frame, "mailbox_full", now)
        for left in (index, index - 1):  # with the range after it, then with the one before it
            if 0 <= left < len(self._entries) - 1:
                merged = _merged(self._entries[left], self._entries[left + 1])
                if merged is not None:
                    self._entries[left] = merged
                    del self._entries[left + 1]

    def _append(self, shed: Shed) -> None:
        merged = _merged(self._entries[-1], shed) if self._entries else None
        if merged is None:
            self._entries.append(shed)
        else:
            self._entries[-1] = merged

    def _count(self, frame: Frame, sign: int) -> None:
        self._frames += sign
        self._size_bytes += sign * len(frame.payload)


def _says(status: CameraStatus) -> tuple[str, str | None, str]:
    return status.state, status.session, status.detail


def _shed(frame: Frame, reason: ShedReason, now: datetime) -> Shed:
    return Shed(
        camera_id=frame.camera_id,
        session=frame.session,
        first_seq=frame.seq,
        last_seq=frame.seq,
        reason=reason,
        at=now,
    )


def _merged(one: Message, other: Message) -> Shed | None:
    """Both as one range, where they are ranges that touch."""
    if not isinstance(one, Shed) or not isinstance(other, Shed):
        return None
    if (one.session, one.reason) != (other.session, other.reason) or one.last_seq + 1 != other.first_seq:
        return None
    return one.model_copy(update={"last_seq": other.last_seq, "at": other.at})
