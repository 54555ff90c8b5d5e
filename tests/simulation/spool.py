"""A camera's spool as its thread works it: the real index over a disk in memory, which outlives the process.

The rules are those of `ingest.spooler` and `ingest.spool`; between any two effects the process may die.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from andon.messages import Frame
from ingest.backlog import Backlog
from ingest.mailbox import Mailbox, Message
from ingest.spool_index import Segment, SpoolIndex
from tests.simulation.broker import World, require
from tests.simulation.plan import SEGMENT_BYTES

FRAME_BYTES, OTHER_BYTES = 10, 3


@dataclass(slots=True, eq=False)
class Disk:
    """What survives a kill."""

    segments: dict[int, list[Message]] = field(default_factory=dict)
    written: list[Message] = field(default_factory=list)
    """All that was ever kept here: it has to arrive, whatever became of its segment."""


class Spooling:
    """One process's hold on its camera's disk."""

    def __init__(self, world: World, mailbox: Mailbox, backlog: Backlog, disk: Disk) -> None:
        self.settled: list[int] = []
        """Segments of which a record has arrived."""
        self._world = world
        self._mailbox = mailbox
        self._backlog = backlog
        self._disk = disk
        found = [_measured(world, number, kept) for number, kept in sorted(disk.segments.items())]
        self.index = SpoolIndex(world.plan.spool_bytes, SEGMENT_BYTES, found)
        self._between_jobs = True
        self._work = self._working()

    def step(self) -> None:
        next(self._work)

    def end(self) -> None:
        """Told to end: what memory holds goes to disk, as far as that takes it."""
        while not self._between_jobs:
            next(self._work)
        self._settle(self.settled)
        if not self._backlog.known:
            return
        while self._backlog.waiting:
            message = self._backlog.to_store()
            if message is None or not self._append(message):
                break
            self._backlog.stored()
        self._put_back(self._mailbox.leftover())

    def _working(self) -> Iterator[None]:
        self._backlog.known, self._backlog.on_disk = True, self.index.depth
        while True:
            self._between_jobs = True
            yield
            self._between_jobs = False
            settled, self.settled = self.settled, []
            fetch, store = self._mailbox.wants_more, self._backlog.to_store()
            if settled:
                yield
                self._settle(settled)
            if fetch:
                yield
                self._fetch()
            if store is not None:
                yield
                kept = not self._world.chance("disk_fails", 0.3) and self._append(store)
                yield
                self._backlog.stored() if kept else self._backlog.kept()

    def _settle(self, settled: Sequence[int]) -> None:
        for number in settled:
            self.index.settle(number)
        for number in self.index.remove_done():
            self._disk.segments.pop(number, None)

    def _fetch(self) -> None:
        segment = self.index.next()
        if segment is None:
            return
        message = self._disk.segments[segment.number][segment.read]
        self.index.took(segment, _size_bytes(message))
        self._mailbox.fetched(message, segment.number)
        self._backlog.on_disk = self.index.depth

    def _append(self, message: Message) -> bool:
        size_bytes = _size_bytes(message)
        if not self.index.has_room(size_bytes):
            return False
        segment = self.index.target(size_bytes, self._world.clock.now())
        self._keep(segment, message)
        require(self.index.size_bytes <= self._world.plan.spool_bytes, "the spool has grown beyond its bound")
        return True

    def _put_back(self, messages: Sequence[Message]) -> None:
        if messages:
            segment = self.index.front(self._world.clock.now())
            for message in messages:
                self._keep(segment, message)

    def _keep(self, segment: Segment, message: Message) -> None:
        self._disk.segments.setdefault(segment.number, []).append(message)
        self._disk.written.append(message)
        self.index.appended(segment, _size_bytes(message))


def _measured(world: World, number: int, kept: Sequence[Message]) -> Segment:
    return Segment(number, world.clock.now(), sum(map(_size_bytes, kept)), len(kept))


def _size_bytes(message: Message) -> int:
    return FRAME_BYTES if isinstance(message, Frame) else OTHER_BYTES
