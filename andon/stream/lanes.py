"""A stage's open partitions, and how many more records it may take: bounded in all, and fair. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from andon.errors import FatalError
from andon.stream.offsets import OffsetTracker, Partition
from andon.stream.step import PartitionStep
from andon.wire import Record

DECAY = 16
"""With each record the largest size that a lane remembers shrinks by one part in 16: after 50 records to a 25th."""


@dataclass(slots=True, eq=False)
class Lane:
    """One open partition's share of a stage."""

    partition: Partition
    step: PartitionStep
    position: int
    """The next offset to read."""
    offsets: OffsetTracker = field(init=False)
    size_bytes: int = 0
    largest_bytes: int = 0
    """The largest of the latest records. It says how many more fit into the bound."""
    committed: int | None = None
    last_timestamp_ms: int | None = None
    """Timestamp of the record read last: the lag in seconds is counted from it."""
    held_since: float | None = None
    connection: object = None
    """The connection by which the record read last was fetched."""
    cut: bool = False
    """The log has lost its end: nothing more is read until the partition is opened anew."""
    revoked: bool = False

    def __post_init__(self) -> None:
        self.offsets = OffsetTracker(self.position)


class Lanes:
    """The lanes of a stage and their bounds, in records and in bytes of their values."""

    def __init__(self, max_in_flight: int, max_in_flight_bytes: int) -> None:
        self._max_in_flight = max_in_flight
        self._max_in_flight_bytes = max_in_flight_bytes
        self._lanes: dict[Partition, Lane] = {}
        self.in_flight = 0
        self._size_bytes = 0
        self._busy = 0
        """Lanes with records in flight: they share the bound."""

    @property
    def by_partition(self) -> Mapping[Partition, Lane]:
        return self._lanes

    def open(self, partition: Partition, step: PartitionStep, position: int) -> Lane:
        """Begin a lane at the offset from which the partition is read.

        That offset is to be committed even if no record follows: the last owner may have died before it committed
        its last records, and a group that has committed nothing looks like one that never existed.
        """
        lane = self._lanes[partition] = Lane(partition, step, position)
        return lane

    def close(self, lane: Lane) -> int:
        """Forget a lane and abandon its records in flight. Returns how many they are."""
        del self._lanes[lane.partition]
        lane.revoked = True
        self.in_flight -= lane.offsets.in_flight
        self._size_bytes -= lane.size_bytes
        if lane.offsets.in_flight:
            self._busy -= 1
        return lane.offsets.in_flight

    def take(self, lane: Lane, record: Record) -> None:
        """Raises FatalError where the log has begun anew under records in flight."""
        if not lane.offsets.in_flight:
            self._busy += 1
        elif record.offset < lane.position:
            raise FatalError(began_anew(record, lane.position - 1))
        size_bytes = len(record.value or b"")
        lane.offsets.take(record.offset)
        lane.size_bytes += size_bytes
        lane.largest_bytes = max(lane.largest_bytes - lane.largest_bytes // DECAY, size_bytes)
        lane.position = record.offset + 1
        lane.last_timestamp_ms = record.timestamp_ms
        self.in_flight += 1
        self._size_bytes += size_bytes

    def done(self, lane: Lane, record: Record) -> None:
        size_bytes = len(record.value or b"")
        lane.offsets.done(record.offset)
        if not lane.offsets.in_flight:
            self._busy -= 1
        lane.size_bytes -= size_bytes
        self.in_flight -= 1
        self._size_bytes -= size_bytes

    def rooms(self) -> list[tuple[Lane, int]]:
        """Every lane with how many more records it may take, the emptiest first: no camera fills the stage alone."""
        lanes = sorted(self._lanes.values(), key=lambda lane: lane.offsets.in_flight)
        return [(lane, self.room(lane)) for lane in lanes]

    def room(self, lane: Lane) -> int:
        """How many more records `lane` may take now."""
        spare = self._max_in_flight - self.in_flight
        spare_bytes = self._max_in_flight_bytes - self._size_bytes
        if spare < 1 or spare_bytes < 1 or lane.revoked or lane.cut:
            return 0
        in_flight = lane.offsets.in_flight
        fitting = max(1, spare_bytes // lane.largest_bytes) if lane.largest_bytes else 1
        sharing = self._busy if in_flight else self._busy + 1
        share = max(1, self._max_in_flight // sharing)
        return max(0, min(spare, fitting, share - in_flight))

    def committable(self) -> dict[Partition, int]:
        """The offsets that may be committed and have not been. No offset goes back."""
        offsets = {lane.partition: _committable(lane) for lane in self._lanes.values() if not lane.cut}
        return {partition: offset for partition, offset in offsets.items() if offset is not None}

    def committed(self, offsets: Mapping[Partition, int]) -> None:
        for partition, offset in offsets.items():
            if partition in self._lanes:
                self._lanes[partition].committed = offset


def _committable(lane: Lane) -> int | None:
    """None: there is nothing new."""
    done, needed = lane.offsets.committable, lane.step.needed_from
    if done is None:
        return None
    offset = done if needed is None else min(done, max(needed, lane.committed or 0))
    return None if offset == lane.committed else offset


def began_anew(record: Record, last: int) -> str:
    """The line of a process under which the log began anew; `last` is the offset of the record read before."""
    return (
        f"{record.topic}/{record.partition}: offset {record.offset} follows on {last}: the broker came back with"
        " another log; this process stops, and begins with it when restarted"
    )
