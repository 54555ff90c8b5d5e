"""The bounded hand-off from capture to the broker: what waits, in order, and what is given up when it is full (pure).

Everything of a session that is put in comes out exactly once and in the order of its numbers: as its frame, or within a
range of shed ones. Frames under way to the broker still count to the bounds, so they say what a killed process loses.
"""

from collections import deque
from datetime import datetime

from andon.messages import CameraStatus, Frame, Shed
from ingest.backlog import Backlog
from ingest.waiting import Bounds, Message, identity, joined, shed

__all__ = ["STATUSES", "Bounds", "Mailbox", "Message"]
STATUSES = 64
"""Changes of state that wait while the broker is away; beyond it the oldest are told no more."""


class Mailbox:
    """One camera's. Not thread-safe; see `Handoff`."""

    def __init__(self, bounds: Bounds, backlog: Backlog | None = None) -> None:
        """`backlog`: what goes to disk instead of being given up; only where no age limits it."""
        self._bounds = bounds
        self._backlog = backlog
        self._entries: deque[Message] = deque()
        self._statuses: deque[CameraStatus] = deque()
        self._segments: dict[tuple[str, str | None, int], int] = {}
        """Where on disk what was fetched from there still lies."""
        self._flying: dict[tuple[str, str | None, int], Message] = {}
        self._frames = 0
        self._size_bytes = 0
        self._waiting = 0

    @property
    def depth(self) -> int:
        """Frames in memory that wait or are under way."""
        return self._frames + (self._backlog.frames if self._backlog is not None else 0)

    @property
    def size_bytes(self) -> int:
        return self._size_bytes

    @property
    def empty(self) -> bool:
        """Nothing waits; frames may be under way."""
        return not self._entries and not self._statuses and not self._behind

    @property
    def sessions(self) -> int:
        """Ended sessions whose last word waits in memory."""
        behind = self._backlog.sessions if self._backlog is not None else 0
        return behind + sum(isinstance(entry, CameraStatus) for entry in self._entries)

    def has_room(self, size_bytes: int) -> bool:
        """Whether a frame of this size finds room and nothing has to go before it."""
        return not self._behind and self._fits(size_bytes)

    def put(self, frame: Frame, now: datetime) -> int:
        """Put a frame in, or give up what the policy says. Returns how many frames were given up."""
        if self._backlog is not None and not self.has_room(len(frame.payload)):
            return self._backlog.put(frame, now)
        given_up = 0
        while self._bounds.max_age_s is not None and self._waiting and not self._fits(len(frame.payload)):
            self._shed_oldest(now)
            given_up += 1
        if not self._fits(len(frame.payload)):
            self._append(shed(frame, "mailbox_full", now))
            return given_up + 1
        self._enter(frame)
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
        if self._backlog is not None and self._behind:
            self._backlog.end(status)
        else:
            self._entries.append(status)

    def take(self, now: datetime) -> Message | None:
        """What is to be sent next. A frame stays within the bounds until it is `settled`."""
        if self._statuses:
            return self._statuses.popleft()
        self._move_up()
        if not self._entries:
            return None
        entry = self._entries.popleft()
        if isinstance(entry, Frame):
            self._waiting -= 1
            if self._stale(entry, now):
                entry = self._take_stale(entry, now)
        if self._backlog is not None:
            self._flying[identity(entry)] = entry
        return entry

    def settled(self, message: Message) -> int | None:
        """The broker has acknowledged it. Returns the segment of the spool that needs to keep it no longer."""
        if isinstance(message, Frame):
            self._count(message, -1)
        self._flying.pop(identity(message), None)
        return self._segments.pop(identity(message), None)

    def leftover(self) -> list[Message]:
        """What is under way or waits, oldest first, up to the last one that does not lie on disk as well.

        What does and stands before that one is kept a second time: else the later one would be read back before it.
        """
        held = [*self._flying.values(), *self._entries]
        while held and identity(held[-1]) in self._segments:
            held.pop()
        return held

    @property
    def wants_more(self) -> bool:
        """There is room for what lies on disk."""
        return self._backlog is not None and self._backlog.on_disk > 0 and self._fits(1)

    def fetched(self, message: Message, segment: int) -> None:
        """Read from this segment: next in turn. A frame may go beyond the bounds by its own size."""
        self._segments[identity(message)] = segment
        self._enter(message)

    @property
    def _behind(self) -> bool:
        return self._backlog is not None and self._backlog.behind

    def _move_up(self) -> None:
        """What waits for the disk need not go there once there is room here and nothing on disk before it."""
        while self._backlog is not None and (entry := self._backlog.direct()) is not None:
            if isinstance(entry, Frame) and not self._fits(len(entry.payload)):
                return
            self._backlog.take_direct()
            self._enter(entry)

    def _fits(self, size_bytes: int) -> bool:
        if self._frames >= self._bounds.frames:
            return False
        alone = self._backlog is not None and not self._frames  # else one that is too large would stay on disk for ever
        return alone or self._size_bytes + size_bytes <= self._bounds.size_bytes

    def _enter(self, message: Message) -> None:
        self._entries.append(message)
        if isinstance(message, Frame):
            self._count(message, 1)
            self._waiting += 1

    def _take_stale(self, frame: Frame, now: datetime) -> Shed:
        self._count(frame, -1)
        span = shed(frame, "stale", now)
        while self._entries and isinstance(follower := self._entries[0], Frame) and self._stale(follower, now):
            merged = joined(span, shed(follower, "stale", now))
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
        self._entries[index] = shed(frame, "mailbox_full", now)
        for left in (index, index - 1):  # with the range after it, then with the one before it
            if 0 <= left < len(self._entries) - 1:
                merged = joined(self._entries[left], self._entries[left + 1])
                if merged is not None:
                    self._entries[left] = merged
                    del self._entries[left + 1]

    def _append(self, span: Shed) -> None:
        merged = joined(self._entries[-1], span) if self._entries else None
        if merged is None:
            self._entries.append(span)
        else:
            self._entries[-1] = merged

    def _count(self, frame: Frame, sign: int) -> None:
        self._frames += sign
        self._size_bytes += sign * len(frame.payload)
