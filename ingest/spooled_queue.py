"""The queue of a `lossless` camera with a spool: frames that don't fit into memory wait on disk (pure).

    put -> head (memory) -> broker                          while the broker keeps up
    put -> tail (memory) -> disk -> head -> broker          else

One queue: while anything waits in the tail or on disk, everything new goes behind it, so a camera's numbers stay in
order. Each message gets a position when it leaves the tail; positions grow by one, and are the keys on disk.
"""

from collections.abc import Sequence

from andon.clock import Clock
from andon.messages import CameraStatus, Frame
from ingest.queue import Lossless, Message

Row = tuple[int, Message]
"""A position and the message that has it."""
ReadRow = tuple[int, Message | None]
"""None: the message can't be read."""
TAIL_FRAMES = 64
"""Frames in the tail, at most: more would only delay the disk."""
BATCH = 16
"""Messages that are stored, read or deleted in one transaction, at most."""


class SpooledQueue(Lossless):
    """One camera's head and tail. A thread (`ingest.spool_thread`) moves messages between them and the disk."""

    def __init__(self, frames: int, size_bytes: int, clock: Clock) -> None:
        """`frames`, `size_bytes`: of memory in all; a quarter is the tail's."""
        tail = max(1, min(frames // 4, TAIL_FRAMES))
        super().__init__(max(1, frames - tail), size_bytes * 3 // 4, clock, "spool_full")
        self._tail = Lossless(tail, size_bytes // 4, clock, "spool_full")
        self._storing: list[Message] = []
        self._held: dict[int, Row] = {}
        """In the head or under way, by the message's own `id`: `settled` gets the object that `take` returned."""
        self._next = 0
        """The position of the next message that leaves the tail."""
        self._unread = 0
        """The first position that waits on disk, if it is below `_next`."""
        self._acknowledged = 0
        """Messages, since `to_delete` was last asked."""
        self.known = False
        """The disk has been looked at; until then nothing may pass what an earlier process left there."""

    @property
    def depth(self) -> int:
        return super().depth + self._tail.depth

    @property
    def empty(self) -> bool:
        return super().empty and not self.behind

    @property
    def sessions(self) -> int:
        return super().sessions + self._tail.sessions

    @property
    def on_disk(self) -> int:
        """Messages on disk that have not been read. After damage, the lost ones count until reading has passed them."""
        return self._next - self._unread

    @property
    def behind(self) -> bool:
        """Something waits on disk or in the tail."""
        return not self.known or self.on_disk > 0 or bool(self._storing) or not self._tail.empty

    def has_room(self, size_bytes: int) -> bool:
        return not self.behind and super().has_room(size_bytes)

    def put(self, frame: Frame) -> int:
        passes = not self._tail.sheds_rest(frame) and self.has_room(len(frame.payload))
        return super().put(frame) if passes else self._tail.put(frame)

    def end(self, status: CameraStatus) -> None:
        if self.behind:
            self._tail.end(status)
        else:
            self.enter(status)

    def enter(self, message: Message) -> None:
        """Straight into the head: nothing on disk stands before it."""
        self._hold(self._next, message)
        self._next += 1
        self._unread = self._next

    def take(self) -> Message | None:
        self._pass_the_disk()
        return super().take()

    def settled(self, message: Message) -> None:
        super().settled(message)
        del self._held[id(message)]
        self._acknowledged += 1

    # ---- for the spool's thread

    def opened(self, first: int, end: int) -> None:
        """What an earlier process left at the positions `first` to `end` - 1 is sent before anything that waits."""
        held = [message for _, message in self._held.values()]  # in memory before the disk could be had
        self._held = {id(message): (position, message) for position, message in enumerate(held, end)}
        self._next = end + len(held)
        self._unread = first if first < end else self._next
        self.known = True

    @property
    def wants_storing(self) -> bool:
        """Half of the tail waits: many messages in a transaction cost far less than one by one."""
        return self._tail.half_full

    def to_store(self) -> list[Row]:
        """The oldest in the tail, to be appended to the disk; `stored` follows."""
        assert not self._storing
        while self.known and len(self._storing) < BATCH and (message := self._tail.take()) is not None:
            self._storing.append(message)
        return list(enumerate(self._storing, self._next))

    def stored(self, count: int) -> None:
        """The disk has taken the first `count` of them."""
        for message in self._storing[:count]:
            self._tail.settled(message)
        self._tail.give_back(self._storing[count:])
        self._storing = []
        self._next += count

    @property
    def wants_more(self) -> bool:
        """Half of the head is free for what waits on disk."""
        return self.on_disk > 0 and not self.half_full

    def to_read(self) -> tuple[int, int, int]:
        """From which position on, how many frames and how many bytes the head takes from the disk now."""
        frames, size_bytes = self._max_frames - self._depth, self._max_bytes - self.size_bytes
        return self._unread, min(BATCH, max(1, frames)), max(1, size_bytes)

    def read(self, rows: Sequence[ReadRow]) -> None:
        """These were read from disk. The last one may go beyond the bounds by its own size; none: nothing is left."""
        for position, message in rows:
            if message is not None:
                self._hold(position, message)
        self._unread = rows[-1][0] + 1 if rows else self._next

    @property
    def wants_deletion(self) -> bool:
        """Enough has been acknowledged, or all that there is; perhaps nothing of it was on disk."""
        return self._acknowledged >= BATCH or (not self._held and not self.on_disk)

    def to_delete(self) -> int:
        """The position up to which the disk need not keep anything."""
        self._acknowledged = 0
        return min([self._unread, *(position for position, _ in self._held.values())]) - 1

    def leftover(self) -> list[Row]:
        """What memory holds, for a process that ends: in the head, under way, and in the tail. Some is on disk, too."""
        rows = list(self._held.values())
        while self.known and (message := self._tail.take()) is not None:
            rows.append((self._next, message))
            self._next += 1
        return rows

    def _pass_the_disk(self) -> None:
        """What waits for the disk goes straight to the head once nothing on disk stands before it."""
        while self.known and not self.on_disk and not self._storing and (message := self._tail.first) is not None:
            if isinstance(message, Frame) and not super().has_room(len(message.payload)):
                return
            self._tail.take()
            self._tail.settled(message)
            self.enter(message)

    def _hold(self, position: int, message: Message) -> None:
        super().enter(message)
        self._held[id(message)] = (position, message)
