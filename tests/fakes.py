"""Collaborators in memory. Each passes the conformance suite that the real one passes (tests/conformance)."""

import asyncio
import sys
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, TypeVar

from aiokafka import ConsumerRebalanceListener
from aiokafka.errors import CommitFailedError

from andon.errors import RetryableError, TooLargeError
from andon.events import Event
from andon.messages import RecordRef
from andon.stream.offsets import Partition
from andon.wire import Headers, Outgoing, Record

T = TypeVar("T", bound=Event)
START = datetime(2026, 3, 1, 6, 0, tzinfo=UTC)


class FakeClock:
    """Stands still until it is told to go on."""

    def __init__(self, start: datetime = START) -> None:
        self._start = start
        self._elapsed_s = 0.0

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._elapsed_s)

    def monotonic(self) -> float:
        return self._elapsed_s

    def advance(self, seconds: float) -> None:
        self._elapsed_s += seconds


class Told:
    """An `emit` that remembers."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def __call__(self, event: Event) -> None:
        self.events.append(event)

    def of(self, kind: type[T]) -> list[T]:
        return [event for event in self.events if isinstance(event, kind)]


class MemoryPublisher:
    """A Publisher whose topics are lists. Acknowledges at once; refuses every record while `away`."""

    def __init__(self, max_bytes: int = sys.maxsize) -> None:
        """`max_bytes`: the largest value that a topic takes; `limits` has the exceptions, by topic."""
        self.topics: dict[str, list[Record]] = {}
        self.away = False
        self.max_bytes = max_bytes
        self.limits: dict[str, int] = {}

    async def send(self, topic: str, record: Outgoing) -> Awaitable[RecordRef]:
        if self.away:
            raise RetryableError("the broker is away")
        if len(record.value) > self.limits.get(topic, self.max_bytes):
            raise TooLargeError(f"{topic}: too large")
        log = self.topics.setdefault(topic, [])
        ref = RecordRef(topic=topic, partition=0, offset=len(log))
        log.append(Record(topic, 0, ref.offset, record.timestamp_ms, record.key, record.value, record.headers))
        return _acknowledged(ref)


async def _acknowledged(ref: RecordRef) -> RecordRef:
    return ref


class MemoryLog:
    """A topic in memory, with the offsets that groups committed."""

    def __init__(self, topic: str, partitions: int) -> None:
        self.topic = topic
        self.records: dict[Partition, list[Raw]] = {Partition(topic, number): [] for number in range(partitions)}
        self._committed: dict[str, dict[Partition, int]] = {}

    def append(self, partition: int, *values: bytes) -> None:
        log = self.records[Partition(self.topic, partition)]
        for value in values:
            log.append(Raw(self.topic, partition, len(log), 0, None, value, ()))

    def committed(self, group: str) -> dict[Partition, int]:
        return self._committed.setdefault(group, {})


class Raw(NamedTuple):
    """What AIOKafkaConsumer hands out."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers


class MemoryConsumer:
    """What a stage needs of a consumer, over a MemoryLog; `rebalance` plays the group's coordinator."""

    def __init__(self, log: MemoryLog, group: str) -> None:
        self._log = log
        self._group = group
        self._positions: dict[Partition, int] = {}
        self._listener: ConsumerRebalanceListener | None = None
        self._joined = False
        self.zombie = False
        self.expired = 0
        """Retention has taken what lies before this offset, of every partition."""

    def subscribe(self, topics: Iterable[str], *, listener: ConsumerRebalanceListener) -> None:
        self._listener = listener

    async def rebalance(self, assigned: frozenset[Partition]) -> None:
        assert self._listener is not None
        await self._listener.on_partitions_revoked(frozenset(self._positions))
        committed = self._log.committed(self._group)
        self._positions = {partition: committed.get(partition, 0) for partition in assigned}
        await self._listener.on_partitions_assigned(assigned)

    async def getmany(
        self, *partitions: Partition, timeout_ms: int = 0, max_records: int | None = None
    ) -> Mapping[Partition, Sequence[Raw]]:
        await asyncio.sleep(0)
        if not self._joined:
            self._joined = True
            await self.rebalance(frozenset(self._log.records))
        room = sys.maxsize if max_records is None else max_records
        taken: dict[Partition, Sequence[Raw]] = {}
        for partition in partitions or tuple(self._positions):
            found = self._take(partition, room)
            room -= len(found)
            if found:
                taken[partition] = found
        return taken

    def _take(self, partition: Partition, room: int) -> Sequence[Raw]:
        if partition not in self._positions:
            return ()
        position = max(self._positions[partition], self.expired)
        found = self._log.records[partition][position : position + room]
        self._positions[partition] = position + len(found)
        return found

    async def commit(self, offsets: Mapping[Partition, int]) -> None:
        if self.zombie:
            raise CommitFailedError
        self._log.committed(self._group).update(offsets)

    def seek(self, partition: Partition, offset: int) -> None:
        self._positions[partition] = offset

    def highwater(self, partition: Partition) -> int | None:
        assert partition in self._positions, "Partition is not assigned"  # as the real client does
        return len(self._log.records[partition])

    async def beginning_offsets(self, partitions: Iterable[Partition]) -> Mapping[Partition, int]:
        return dict.fromkeys(partitions, self.expired)

    async def committed(self, partition: Partition) -> int | None:
        return self._log.committed(self._group).get(partition)
