"""What waits behind a full mailbox: first on disk, then, few and newest, in memory on their way there (pure).

    put -> tail (memory) -> disk -> mailbox -> broker

One queue: while anything stands in it, everything new goes behind it, so a camera's numbers stay in order.
"""

from collections import deque
from datetime import datetime

from andon.messages import CameraStatus, Frame
from ingest.waiting import Bounds, Message, joined, shed


class Backlog:
    """One camera's. Not thread-safe; see `Handoff`."""

    def __init__(self, bounds: Bounds) -> None:
        """`bounds`: of what waits in memory for the disk."""
        self._bounds = bounds
        self._tail: deque[Message] = deque()
        self._storing: Message | None = None
        self.frames = 0
        """In memory."""
        self._size_bytes = 0
        self.on_disk = 0
        """Records that have not been fetched."""
        self.known = False
        """What an earlier process left on disk has been counted; until then nothing may pass it."""

    @property
    def behind(self) -> bool:
        """Something stands before whatever comes next."""
        return not self.known or self.on_disk > 0 or bool(self._tail) or self._storing is not None

    @property
    def waiting(self) -> bool:
        """Something in memory is to be stored."""
        return bool(self._tail) or self._storing is not None

    @property
    def sessions(self) -> int:
        """Ended sessions whose last word waits in memory."""
        return sum(isinstance(entry, CameraStatus) for entry in self._tail)

    def put(self, frame: Frame, now: datetime) -> int:
        """Returns how many frames were given up: 1 where the disk takes none and the memory is full, too."""
        size_bytes = len(frame.payload)
        full = self.frames >= self._bounds.frames or self._size_bytes + size_bytes > self._bounds.size_bytes
        if full and self.frames:
            self._append(shed(frame, "spool_full", now))
            return 1
        self._tail.append(frame)
        self._count(frame, 1)
        return 0

    def end(self, status: CameraStatus) -> None:
        self._tail.append(status)

    def to_store(self) -> Message | None:
        """The oldest that waits for the disk; `stored` or `kept` follows."""
        assert self._storing is None
        if not self.known or not self._tail:
            return None
        self._storing = self._tail.popleft()
        return self._storing

    def stored(self) -> None:
        self._let_go()
        self.on_disk += 1

    def kept(self) -> None:
        """The disk has not taken it."""
        assert self._storing is not None
        merged = joined(self._storing, self._tail[0]) if self._tail else None
        if merged is not None:
            self._tail[0] = merged
        else:
            self._tail.appendleft(self._storing)
        self._storing = None

    def direct(self) -> Message | None:
        """The oldest, where nothing on disk stands before it: it need not go there."""
        beyond = not self.known or self.on_disk > 0 or self._storing is not None
        return None if beyond or not self._tail else self._tail[0]

    def take_direct(self) -> None:
        """What `direct` showed has been taken over."""
        self._storing = self._tail.popleft()
        self._let_go()

    def _let_go(self) -> None:
        if isinstance(self._storing, Frame):
            self._count(self._storing, -1)
        self._storing = None

    def _append(self, entry: Message) -> None:
        merged = joined(self._tail[-1], entry) if self._tail else None
        if merged is None:
            self._tail.append(entry)
        else:
            self._tail[-1] = merged

    def _count(self, frame: Frame, sign: int) -> None:
        self.frames += sign
        self._size_bytes += sign * len(frame.payload)
