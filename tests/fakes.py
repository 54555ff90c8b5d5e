"""Fakes in memory. Each passes the same conformance suite as the real thing (tests/conformance)."""

import asyncio
import sys
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from andon.errors import RetryableError, TooLargeError
from andon.events import Event
from andon.messages import RecordRef
from andon.stream.consumer import NotOwnerError, Owner
from andon.stream.offsets import Partition
from andon.wire import Outgoing, Record

T = TypeVar("T", bound=Event)
START = datetime(2026, 3, 1, 6, 0, tzinfo=UTC)


async def until_idle() -> None:
    """Return when every other task waits: without a timer, a thread or the caller, nothing more happens."""
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(0)
        if not loop._ready:  # type: ignore[attr-defined]  # the callbacks that are due; asyncio has no public name for them
            return


class FakeClock:
    """Stands still until `advance` is called."""

    def __init__(self, start: datetime = START) -> None:
        self._start = start
        self._elapsed_s = 0.0

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._elapsed_s)

    def monotonic(self) -> float:
        return self._elapsed_s

    def advance(self, seconds: float) -> None:
        self._elapsed_s += seconds

    def step(self, seconds: float) -> None:
        """Set the host's clock forward or back; the monotonic clock does not notice."""
        self._start += timedelta(seconds=seconds)


class RecordedEvents:
    """An `emit` that records every event, in order."""

    def __init__(self) -> None:
        self.all: list[Event] = []

    def __call__(self, event: Event) -> None:
        self.all.append(event)

    def of(self, kind: type[T]) -> list[T]:
        return [event for event in self.all if isinstance(event, kind)]


class MemoryPublisher:
    """A Publisher whose topics are lists. Acknowledges at once, and refuses every record while `away`."""

    def __init__(self, max_bytes: int = sys.maxsize) -> None:
        """`max_bytes` is the largest value that a topic takes; `limits` has exceptions by topic."""
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
    """A topic in memory, with the committed offsets of groups."""

    def __init__(self, topic: str, partitions: int) -> None:
        self.topic = topic
        self.records: dict[Partition, list[Record]] = {Partition(topic, number): [] for number in range(partitions)}
        self._committed: dict[str, dict[Partition, int]] = {}

    def append(self, partition: int, *values: bytes, at_ms: int | None = None) -> None:
        """`at_ms`: when the broker appends them; None: at the time of the last record."""
        log = self.records[Partition(self.topic, partition)]
        timestamp_ms = (log[-1].timestamp_ms if log else 0) if at_ms is None else at_ms
        for value in values:
            log.append(Record(self.topic, partition, len(log), timestamp_ms, None, value, ()))

    def committed(self, group: str) -> dict[Partition, int]:
        return self._committed.setdefault(group, {})


class MemoryConsumer:
    """A Consumer of a MemoryLog. `rebalance` acts as the group's coordinator."""

    def __init__(self, log: MemoryLog, group: str) -> None:
        self._log = log
        self._group = group
        self._positions: dict[Partition, int | None] = {}
        """None: no record is read until `read_from` sets the offset."""
        self._owner: Owner | None = None
        self._joined = False
        self.zombie = False
        self.away = 0
        """The broker answers none of this many next requests."""
        self.answers_ms = 1
        """When the broker last answered a fetch."""
        self.expired = 0
        """Retention has deleted the records before this offset in every partition."""
        self.network = object()
        """The connection to every leader."""

    def subscribe(self, topics: Sequence[str], owner: Owner) -> None:
        self._owner = owner

    async def rebalance(self, assigned: frozenset[Partition]) -> None:
        assert self._owner is not None
        await self._owner.give_up(frozenset(self._positions))
        self._positions = dict.fromkeys(assigned)
        await self._owner.take_over(assigned)

    def read_from(self, partition: Partition, offset: int) -> None:
        assert partition in self._positions, "Partition is not assigned"  # as the real client does
        self._positions[partition] = offset

    async def poll(
        self, partitions: Sequence[Partition], *, timeout_ms: int = 0, max_records: int | None = None
    ) -> Mapping[Partition, Sequence[Record]]:
        await asyncio.sleep(0)
        if not self._joined:
            self._joined = True
            await self.rebalance(frozenset(self._log.records))
        room = sys.maxsize if max_records is None else max_records
        taken: dict[Partition, Sequence[Record]] = {}
        for partition in partitions:
            found = self._take(partition, room)
            room -= len(found)
            if found:
                taken[partition] = found
        return taken

    def _take(self, partition: Partition, room: int) -> Sequence[Record]:
        position = self._positions.get(partition)
        if position is None:
            return ()
        log = self._log.records[partition]
        first = self.expired if position > len(log) else max(position, self.expired)
        found = log[first : first + room]
        self._positions[partition] = first + len(found)
        return found

    async def commit(self, offsets: Mapping[Partition, int]) -> None:
        if self.zombie:
            raise NotOwnerError("the group has moved on")
        self._log.committed(self._group).update(offsets)

    def highwater(self, partition: Partition) -> int | None:
        return len(self._log.records[partition]) if partition in self._positions else None

    def position(self, partition: Partition) -> int | None:
        position = self._positions.get(partition)
        return None if position is None else max(position, self.expired)

    def answered_ms(self, partition: Partition) -> int | None:
        return self.answers_ms if partition in self._positions else None

    async def committed(self, partitions: Iterable[Partition]) -> Mapping[Partition, int]:
        self._answer()
        committed = self._log.committed(self._group)
        return {item: committed[item] for item in partitions if item in committed}

    async def beginning_offsets(self, partitions: Iterable[Partition]) -> Mapping[Partition, int]:
        self._answer()
        return dict.fromkeys(partitions, self.expired)

    def connection(self, partition: Partition) -> object:
        return self.network

    async def holds(self, partition: Partition, offset: int, timestamp_ms: int) -> bool:
        self._answer()
        log = self._log.records[partition]
        return offset < len(log) and log[offset].timestamp_ms == timestamp_ms

    async def offset_since(self, partition: Partition, timestamp_ms: int) -> int:
        self._answer()
        log = self._log.records[partition]
        return next((record.offset for record in log if record.timestamp_ms >= timestamp_ms), len(log))

    def _answer(self) -> None:
        if self.away:
            self.away -= 1
            raise RetryableError("the broker is away")
