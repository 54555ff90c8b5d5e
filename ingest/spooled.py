"""The queue of a `lossless` camera with a spool: frames that don't fit into memory wait on disk (pure).

    put -> head (memory) -> broker                          while the broker keeps up
    put -> tail (memory) -> disk -> head -> broker          else

One queue: while anything waits in the tail or on disk, everything new goes behind it, so a camera's numbers stay in
order. Each message gets a position when it leaves the tail; positions grow, and are the keys on disk.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from andon.clock import Clock
from andon.messages import CameraStatus, Frame, ShedReason
from ingest.queue import Lossless, Message

Row = tuple[int, Message]
"""A position and the message that has it."""
ReadRow = tuple[int, Message | None]
"""None: the message can't be read."""
TAIL_FRAMES = 64
"""Frames in the tail, at most: more would only delay the disk."""
BATCH = 16
"""Messages that are stored, read or deleted in one transaction, at most."""


@dataclass(slots=True, eq=False)
class _Held:
    """A message in the head or under way."""

    position: int
    message: Message
    on_disk: bool


class Spooled:
    """One camera's. A thread of its own (`ingest.spool_thread`) moves messages between it and the disk."""

    shed_reason: ShedReason = "spool_full"

    def __init__(self, frames: int, size_bytes: int, clock: Clock) -> None:
        """`frames`, `size_bytes`: of memory in all; a quarter is the tail's."""
        tail = max(1, min(frames // 4, TAIL_FRAMES))
        self._head = Lossless(max(1, frames - tail), size_bytes * 3 // 4, clock)
        self._tail = Lossless(tail, size_bytes // 4, clock, self.shed_reason)
        self._held: dict[int, _Held] = {}
        """By the message's own `id`: `settled` is called with the object that `take` returned."""
        self._storing: list[Message] = []
        self._next_position = 0
        self._read_through = -1
        self._unsettled = self._deletable = 0
        """Of the messages read from disk: those not acknowledged, those acknowledged and still on disk."""
        self.on_disk = 0
        """Messages on disk that have not been read."""
        self.known = False
        """The disk has been looked at; until then nothing may pass what an earlier process left there."""

    @property
    def depth(self) -> int:
        return self._head.depth + self._tail.depth

    @property
    def empty(self) -> bool:
        return self._head.empty and not self.behind

    @property
    def sessions(self) -> int:
        return self._head.sessions + self._tail.sessions

    @property
    def behind(self) -> bool:
        """Something waits on disk or in the tail."""
        return not self.known or self.on_disk > 0 or self.storable

    @property
    def storable(self) -> bool:
        """Something in memory waits for the disk."""
        return bool(self._storing) or not self._tail.empty

    def has_room(self, size_bytes: int) -> bool:
        return not self.behind and self._head.has_room(size_bytes)

    def put(self, frame: Frame) -> int:
        if not self.has_room(len(frame.payload)):
            return self._tail.put(frame)
        self._enter(frame, self._number(), on_disk=False)
        return 0

    def end(self, status: CameraStatus) -> None:
        if self.behind:
            self._tail.end(status)
        else:
            self._enter(status, self._number(), on_disk=False)

    def take(self) -> Message | None:
        self._pass_the_disk()
        return self._head.take()

    def settled(self, message: Message) -> None:
        self._head.settled(message)
        held = self._held.pop(id(message))
        if held.on_disk:
            self._unsettled -= 1
            self._deletable += 1

    # ---- for the spool's thread

    def opened(self, records: int, last_position: int) -> None:
        """The disk holds `records` from earlier, up to `last_position`: they are sent before anything that waits."""
        self.known, self.on_disk = True, records
        self._next_position = max(self._next_position, last_position + 1)
        for held in self._held.values():  # in memory before the disk could be had: a position of their own
            held.position = self._number()
        self._read_through = -1
        self._forget_the_disk()

    def replaced(self, records: int) -> None:
        """The disk was damaged: of what has not been read, `records` are left; of what has been read, nothing."""
        self.on_disk = records
        self._forget_the_disk()

    def _forget_the_disk(self) -> None:
        self._unsettled = self._deletable = 0
        for held in self._held.values():
            held.on_disk = False

    def to_store(self, most_bytes: int) -> list[Row]:
        """The oldest in the tail, to be appended to the disk; `stored` follows."""
        assert not self._storing
        size_bytes = 0
        while self.known and len(self._storing) < BATCH and (message := self._tail.first) is not None:
            size_bytes += len(message.payload) if isinstance(message, Frame) else 0
            if self._storing and size_bytes > most_bytes:
                break
            self._tail.take()
            self._storing.append(message)
        return list(enumerate(self._storing, self._next_position))

    def stored(self, count: int) -> None:
        """The disk has taken the first `count` of them."""
        for message in self._storing[:count]:
            self._tail.settled(message)
        self._tail.give_back(self._storing[count:])
        self._storing = []
        self._next_position += count
        self.on_disk += count

    @property
    def wants_more(self) -> bool:
        """Half of the head is free for what waits on disk."""
        head = self._head
        return self.on_disk > 0 and head.depth <= head.max_frames // 2 and head.has_room(0)

    @property
    def room(self) -> tuple[int, int]:
        """How many frames, and bytes, the head takes from the disk now."""
        head = self._head
        return min(BATCH, max(1, head.max_frames - head.depth)), max(1, head.max_bytes - head.size_bytes)

    @property
    def read_through(self) -> int:
        """The position up to which the disk has been read."""
        return self._read_through

    def read(self, rows: Sequence[ReadRow]) -> None:
        """These have been read from disk. The last one may go beyond the bounds by its own size."""
        for position, message in rows:
            self._read_through = position
            if message is None:
                self._deletable += 1
            else:
                self._unsettled += 1
                self._enter(message, position, on_disk=True)
        self.on_disk -= len(rows)

    @property
    def wants_deletion(self) -> bool:
        """Enough has been acknowledged, or all that was read."""
        return self._deletable >= BATCH or (self._deletable > 0 and not self._unsettled)

    @property
    def drained(self) -> bool:
        """Nothing on disk is needed any more."""
        return self.known and not self.on_disk and not self._unsettled and not self._storing

    def to_delete(self) -> tuple[int, int]:
        """The position up to which the disk need not keep anything, and a number for `deleted`."""
        unsettled = (held.position for held in self._held.values() if held.on_disk)
        return min(unsettled, default=self._read_through + 1) - 1, self._deletable

    def deleted(self, count: int) -> None:
        """The deletion is done."""
        self._deletable -= count

    def leftover(self) -> list[Row]:
        """What only memory holds, for a process that ends: in the head, under way, and in the tail."""
        held = [(item.position, item.message) for item in self._held.values() if not item.on_disk]
        rest = []
        while self.known and (message := self._tail.take()) is not None:
            rest.append((self._number(), message))
        return held + rest

    def _pass_the_disk(self) -> None:
        """What waits for the disk goes straight to the head once nothing on disk stands before it."""
        while self.known and not self.on_disk and not self._storing and (message := self._tail.first) is not None:
            if isinstance(message, Frame) and not self._head.has_room(len(message.payload)):
                return
            self._tail.take()
            self._tail.settled(message)
            self._enter(message, self._number(), on_disk=False)

    def _enter(self, message: Message, position: int, *, on_disk: bool) -> None:
        self._head.enter(message)
        self._held[id(message)] = _Held(position, message, on_disk)

    def _number(self) -> int:
        self._next_position += 1
        return self._next_position - 1
