"""What a stage runs: a step opens a fresh object for each partition that the group assigns. Pure: no Kafka."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from andon.stream.offsets import Partition
from andon.wire import Record


@dataclass(frozen=True, slots=True)
class Delivery:
    """One record for a step. `done` is called once, from the event loop, when every effect of the record is durable."""

    record: Record
    done: Callable[[], None]
    expired: range = range(0)
    """Offsets before the record that the log no longer had when they were to be read."""


@dataclass(frozen=True, slots=True)
class Cut:
    """The broker has lost the end of a log that this process had read, and appends other records there."""

    gone: range
    """The offsets that were read before, and whose records are gone."""
    resume_at: int
    """Where to read on: at the cut, or somewhat before it."""


NO_CUTS: Mapping[Partition, Cut] = {}


class PartitionStep(Protocol):
    """A step's work on one partition, from its assignment to its revocation.

    It holds everything that the step knows of the partition, and goes with it: the next assignment gets a fresh one.
    """

    @property
    def resume_at(self) -> int | None:
        """The offset to resume from, or None where the group's committed offset is right."""
        ...

    @property
    def needed_from(self) -> int | None:
        """The lowest offset that whoever takes over has to read, although its record may be done. None: there is none.

        A video's frame is decoded from its keyframe on. The stage commits no offset above this one.
        """
        ...

    def submit(self, deliveries: Sequence[Delivery]) -> None:
        """Take records, in offset order. Never blocks; the stage bounds how many are in flight."""
        ...

    async def drain(self) -> None:
        """Return when nothing is under way, or when discarded. Cancelled where the time is up; `discard` follows."""
        ...

    def discard(self) -> None:
        """The partition is gone: begin nothing more for it. Work that is under way may end, without an effect here."""
        ...


class Step(Protocol):
    """What a stage does with records."""

    async def open(
        self, partitions: frozenset[Partition], cuts: Mapping[Partition, Cut] = NO_CUTS
    ) -> Mapping[Partition, PartitionStep]:
        """Load these partitions, all together. It may take its time: the member's heartbeats go on.

        `cuts`: those of them whose log has lost its end since this process read it. They resume there.

        Cancelled if the group takes the partitions away meanwhile. An error that it raises ends the process.
        """
        ...
