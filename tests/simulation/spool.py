"""A camera's spool, as its thread drives it: the real queue over a disk in memory, which outlives the process.

The rules are those of `ingest.spool_thread` and `ingest.spool`; between any two effects the process may die.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from andon.messages import Frame
from ingest.queue import Message
from ingest.spooled_queue import Row, SpooledQueue
from tests.simulation.broker import World, require

FRAME_BYTES, OTHER_BYTES = 10, 3


@dataclass(slots=True, eq=False)
class Disk:
    """The records on disk, which survive a kill."""

    rows: dict[int, Message] = field(default_factory=dict)
    written: list[Message] = field(default_factory=list)
    """Every record ever stored here: each has to arrive."""

    @property
    def size_bytes(self) -> int:
        return sum(map(_size_bytes, self.rows.values()))


class Spooling:
    """The connection of one process to its camera's disk."""

    def __init__(self, world: World, queue: SpooledQueue, disk: Disk) -> None:
        self._world = world
        self._queue = queue
        self._disk = disk
        self._between_jobs = True
        self._work = self._working()

    def step(self) -> None:
        next(self._work)

    def end(self) -> None:
        """End the process: write the records in memory to disk."""
        while not self._between_jobs:
            next(self._work)
        self._delete(self._queue.to_delete())
        self._keep(self._queue.leftover())

    def _working(self) -> Iterator[None]:
        self._queue.opened(min(self._disk.rows, default=0), max(self._disk.rows, default=-1) + 1)
        while True:
            self._between_jobs = True
            yield
            self._between_jobs = False
            if self._disk.rows and self._queue.wants_deletion:
                through = self._queue.to_delete()
                yield
                self._delete(through)
                yield
            if self._queue.wants_more:
                yield
                self._read()
            if self._queue.wants_storing and (rows := self._queue.to_store()):
                yield
                stored = 0 if self._world.chance("disk_fails", 0.3) else self._append(rows)
                yield
                self._queue.stored(stored)

    def _delete(self, through: int) -> None:
        for position in [position for position in self._disk.rows if position <= through]:
            del self._disk.rows[position]

    def _read(self) -> None:
        start, most, _ = self._queue.to_read()
        positions = [position for position in sorted(self._disk.rows) if position >= start][:most]
        self._queue.read([(position, self._disk.rows[position]) for position in positions])

    def _append(self, rows: Sequence[Row]) -> int:
        """Store the first records that fit, in one transaction."""
        fitting = 0
        while fitting < len(rows) and self._fits(rows[: fitting + 1]):
            fitting += 1
        self._keep(rows[:fitting])
        size_bytes = self._disk.size_bytes
        require(not fitting or size_bytes <= self._world.plan.spool_bytes, "the spool has grown beyond its bound")
        return fitting

    def _fits(self, rows: Sequence[Row]) -> bool:
        size_bytes = sum(_size_bytes(message) for _, message in rows)
        return self._disk.size_bytes + size_bytes <= self._world.plan.spool_bytes

    def _keep(self, rows: Sequence[Row]) -> None:
        for position, message in rows:
            if position not in self._disk.rows:
                self._disk.rows[position] = message
                self._disk.written.append(message)


def _size_bytes(message: Message) -> int:
    return FRAME_BYTES if isinstance(message, Frame) else OTHER_BYTES
