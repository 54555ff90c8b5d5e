"""What a stage holds of each assigned partition, and how much more it may take: bounded in all and fair. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from andon.stream.offsets import OffsetTracker, Partition
from andon.wire import Record


@dataclass(slots=True, eq=False)
class Lane:
    """One assigned partition's share of a stage."""

    partition: Partition
    offsets: OffsetTracker = field(default_factory=OffsetTracker)
    size_bytes: int = 0
    largest_bytes: int = 0
    """The largest record so far: how many more fit into the bound is reckoned by it."""
    committed: int | None = None
    position: int | None = None
    """The next offset to read, or None where that is not known before the first record."""
    last_timestamp_ms: int | None = None
    """Of the record read last: what the lag in seconds is counted from."""
    held_since: float | None = None
    revoked: bool = False


class Lanes:
    """The lanes of a stage and their bounds, in records and in bytes of their values."""

    def __init__(self, max_in_flight: int, max_in_flight_bytes: int) -> None:
        self._max_in_flight = max_in_flight
        self._max_in_flight_bytes = max_in_flight_bytes
        self._lanes: dict[Partition, Lane] = {}
        self.in_flight = 0
        self._size_bytes = 0

    @property
    def by_partition(self) -> Mapping[Partition, Lane]:
        return self._lanes

    def open(self, partitions: Iterable[Partition], positions: Mapping[Partition, int | None] | None = None) -> None:
        """Begin a lane for each of these, at the offset where it is read from, if that is known.

        That is to be committed even if no record follows: who did the last ones may have died before it committed
        them, and a group that has committed nothing looks like one that was never there.
        """
        for item in partitions:
            position = positions.get(item) if positions is not None else None
            self._lanes[item] = Lane(item, OffsetTracker(position), position=position)

    def close(self, partition: Partition) -> int:
        """Forget a lane; what it has in flight is abandoned. Returns how many records that are."""
        lane = self._lanes.pop(partition, None)
        if lane is None:
            return 0
        lane.revoked = True
        self.in_flight -= lane.offsets.in_flight
        self._size_bytes -= lane.size_bytes
        return lane.offsets.in_flight

    def take(self, lane: Lane, record: Record) -> None:
        size_bytes = len(record.value or b"")
        lane.offsets.take(record.offset)
        lane.size_bytes += size_bytes
        lane.largest_bytes = max(lane.largest_bytes, size_bytes)
        lane.position = record.offset + 1
        lane.last_timestamp_ms = record.timestamp_ms
        self.in_flight += 1
        self._size_bytes += size_bytes

    def done(self, lane: Lane, record: Record) -> None:
        size_bytes = len(record.value or b"")
        lane.offsets.done(record.offset)
        lane.size_bytes -= size_bytes
        self.in_flight -= 1
        self._size_bytes -= size_bytes

    def rooms(self) -> list[tuple[Lane, int]]:
        """Every lane with how many more records it may take, the emptiest first: no camera fills the stage alone."""
        lanes = sorted(self._lanes.values(), key=lambda lane: lane.offsets.in_flight)
        active = sum(1 for lane in lanes if lane.offsets.in_flight)
        return [(lane, self._room(lane, active)) for lane in lanes]

    def room(self, lane: Lane) -> int:
        """How many more records `lane` may take now."""
        if lane.revoked:
            return 0
        return self._room(lane, sum(1 for other in self._lanes.values() if other.offsets.in_flight))

    def _room(self, lane: Lane, active: int) -> int:
        spare = self._max_in_flight - self.in_flight
        spare_bytes = self._max_in_flight_bytes - self._size_bytes
        if spare < 1 or spare_bytes < 1:
            return 0
        fitting = max(1, spare_bytes // lane.largest_bytes) if lane.largest_bytes else 1
        sharing = active if lane.offsets.in_flight else active + 1
        share = max(1, self._max_in_flight // sharing)
        return max(0, min(spare, fitting, share - lane.offsets.in_flight))

    def committable(self) -> dict[Partition, int]:
        """What is done and has not been committed."""
        offsets = {lane.partition: lane.offsets.committable for lane in self._lanes.values()}
        return {
            partition: offset
            for partition, offset in offsets.items()
            if offset is not None and offset != self._lanes[partition].committed
        }

    def committed(self, offsets: Mapping[Partition, int]) -> None:
        for partition, offset in offsets.items():
            if partition in self._lanes:
                self._lanes[partition].committed = offset
