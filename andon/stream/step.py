"""The seams of a stage: what it hands to a step, what a step is, and what it needs of a consumer."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from aiokafka import ConsumerRebalanceListener

from andon.stream.offsets import Partition
from andon.wire import Record


@dataclass(frozen=True, slots=True)
class Delivery:
    """One record for a step. `done` is called once, from the event loop, when what follows from it is durable."""

    record: Record
    done: Callable[[], None]
    expired: range = range(0)
    """Offsets before the record that the log no longer had when they were to be read."""


class Step(Protocol):
    """What a stage does with records."""

    async def assigned(self, partitions: frozenset[Partition]) -> Mapping[Partition, int]:
        """These are ours now. Returns the offset to resume from, where the step knows better than the group."""
        ...

    def submit(self, deliveries: Sequence[Delivery]) -> None:
        """Take records of one partition, in offset order. Never blocks; the stage bounds how many are in flight."""
        ...

    async def drain(self, partitions: frozenset[Partition]) -> None:
        """Return when nothing of these is under way. Cancelled when there is no more time: then forget them."""
        ...


class Consumer(Protocol):
    """What a stage needs of AIOKafkaConsumer."""

    def subscribe(self, topics: Iterable[str], *, listener: ConsumerRebalanceListener) -> None: ...
    async def getmany(
        self, *partitions: Partition, timeout_ms: int = 0, max_records: int | None = None
    ) -> Mapping[Any, Sequence[Any]]: ...
    async def commit(self, offsets: Mapping[Partition, int]) -> None: ...
    def seek(self, partition: Partition, offset: int) -> None: ...
    def highwater(self, partition: Partition) -> int | None: ...
    async def committed(self, partition: Partition) -> int | None: ...
    async def beginning_offsets(self, partitions: Iterable[Partition]) -> Mapping[Any, int]: ...
