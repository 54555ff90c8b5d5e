"""A Stage reads a group's partitions, bounds what is in flight, and commits only what is done.

Workers and sinks are both a Stage around a Step. The step knows nothing of Kafka: it takes records, and says when each
one is durable; the stage commits contiguously behind it. A full stage holds its partitions back and keeps polling, so
it stays a member of its group however long it waits.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka import ConsumerRebalanceListener
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from andon.clock import Clock
from andon.errors import FatalError, RetryableError
from andon.events import (
    CommitRefused,
    Emit,
    OffsetsCommitted,
    PartitionsAssigned,
    PartitionsRevoked,
    Paused,
    RecordsDone,
    RecordsExpired,
    RecordsReceived,
    Retrying,
)
from andon.stream.lanes import Lane, Lanes
from andon.stream.offsets import Partition
from andon.stream.step import Consumer, Delivery, Step
from andon.wire import Record

NOWHERE = Partition("", -1)
"""Polling this keeps the membership alive and takes nothing; what was fetched for held partitions stays fetched."""


@dataclass(frozen=True, slots=True)
class Limits:
    max_in_flight: int
    max_in_flight_bytes: int
    poll_ms: int = 100
    """How long one poll waits for data."""
    commit_interval_s: float = 1.0
    commit_timeout_s: float = 10.0
    rebalance_drain_s: float = 5.0
    """How long a revoked partition may finish what it holds; what is left is abandoned uncommitted."""


class Stage:
    """Runs a step over the partitions of one consumer group. One instance a process; event loop only."""

    def __init__(self, name: str, consumer: Consumer, step: Step, limits: Limits, clock: Clock, emit: Emit) -> None:
        self.name = name
        self._consumer = consumer
        self._step = step
        self.limits = limits
        self._clock = clock
        self._emit = emit
        self._lanes = Lanes(limits.max_in_flight, limits.max_in_flight_bytes)
        self._failure: BaseException | None = None
        self._wake = asyncio.Event()
        self.joined = asyncio.Event()
        """Set when the group has assigned partitions (perhaps none) for the first time."""

    @property
    def lanes(self) -> Mapping[Partition, Lane]:
        return self._lanes.by_partition

    @property
    def in_flight(self) -> int:
        return self._lanes.in_flight

    async def run(self, topics: Sequence[str], stop: asyncio.Event) -> None:
        """Read until `stop` is set, then finish what is in flight and commit it.

        Raises whatever the step raised while partitions were assigned, and the consumer's own fatal errors.
        """
        self._consumer.subscribe(topics, listener=_Rebalance(self))
        waker = asyncio.create_task(self._wake_on(stop), name=f"{self.name}.stop")
        committer = asyncio.create_task(self._commit_forever(), name=f"{self.name}.commit")
        try:
            while not stop.is_set():
                if self._failure is not None:
                    raise self._failure
                if committer.done():
                    committer.result()
                await self._poll_or_fail()
            await self._step.drain(frozenset(self.lanes))
            await self.commit()
        finally:
            for task in (waker, committer):
                task.cancel()
            await asyncio.gather(waker, committer, return_exceptions=True)

    async def commit(self) -> None:
        """Commit what is done and has not been committed; refusals and absent brokers are told, not raised."""
        ahead = self._lanes.committable()
        if not ahead:
            return
        try:
            async with asyncio.timeout(self.limits.commit_timeout_s):
                await self._consumer.commit(ahead)
        except (CommitFailedError, IllegalStateError) as error:
            self._emit(CommitRefused(self.name, type(error).__name__))
            return
        except (KafkaError, TimeoutError) as error:
            self._emit(Retrying("commit", type(error).__name__, 1, self.limits.commit_interval_s))
            return
        self._lanes.committed(ahead)
        self._emit(OffsetsCommitted(self.name, len(ahead)))

    async def take_over(self, partitions: frozenset[Partition]) -> None:
        """The group assigned these; called by the rebalance listener."""
        try:
            resume = await self._step.assigned(partitions)
            positions = {item: await self._position(item, resume) for item in partitions}
        except Exception as error:  # the client would only log it; it must end the process
            self._failure = error
            self._wake.set()
            return
        self._lanes.open(partitions, positions)
        for partition, offset in resume.items():
            self._consumer.seek(partition, offset)
        self.joined.set()
        self._wake.set()
        self._emit(PartitionsAssigned(self.name, _listed(partitions)))

    async def give_up(self, partitions: frozenset[Partition]) -> None:
        """The group takes these away: finish or abandon what they hold; called by the rebalance listener."""
        if not partitions:
            return
        try:
            async with asyncio.timeout(self.limits.rebalance_drain_s):
                await self._step.drain(partitions)
        except TimeoutError:
            pass  # what is left is counted below, and delivered again to the next owner
        except RetryableError as error:
            self._emit(Retrying(f"{self.name} drain", str(error), 1, error.retry_after_s))
        await self.commit()
        abandoned = sum(self._lanes.close(partition) for partition in partitions)
        self._emit(PartitionsRevoked(self.name, _listed(partitions), abandoned))

    async def _position(self, partition: Partition, resume: Mapping[Partition, int]) -> int | None:
        """Where reading begins: what is not there then has expired. None: nobody can say.

        A group that has committed nothing is new: what expired before it came was not its to read. Where it begins is
        committed within `commit_interval_s`, so it is not new again when a member dies before it has done anything. One
        that the broker forgot, or that died before that commit, is: the ledger still tells its frames, as missing.
        """
        if partition in resume:
            return resume[partition]
        try:
            async with asyncio.timeout(self.limits.commit_timeout_s):
                committed = await self._consumer.committed(partition)
                return (
                    (await self._consumer.beginning_offsets([partition]))[partition] if committed is None else committed
                )
        except (KafkaError, TimeoutError):
            return None

    async def _poll_or_fail(self) -> None:
        try:
            await self._poll()
        except KafkaError as error:  # what can be retried, the client has retried
            raise FatalError(f"{self.name} can't read from Kafka: {str(error) or type(error).__name__}") from error

    async def _poll(self) -> None:
        """Take what has been fetched, the emptiest lane first: in a backlog each has its turn."""
        taken = 0
        for lane in self._open_lanes():
            # a rebalance may have taken it while another one was polled: the client refuses to be asked for it then
            if not lane.revoked and self._may_have_more(lane):
                taken += await self._take([lane], self._lanes.room(lane))
        if not taken:
            await self._wait()

    def _may_have_more(self, lane: Lane) -> bool:
        """A call for what has nothing costs as much as a small record."""
        end = self._consumer.highwater(lane.partition)
        return end is None or lane.position is None or end > lane.position

    async def _wait(self) -> None:
        open_lanes = self._open_lanes()
        self._wake.clear()
        if not open_lanes:  # full, or nothing assigned: wait for room, and stay a member
            await self._consumer.getmany(NOWHERE, timeout_ms=0)
            await self._wait_for_wake(self.limits.poll_ms / 1000)
            return
        held = len(open_lanes) < len(self.lanes)
        await self._take(open_lanes, 1, 20 if held else self.limits.poll_ms)

    async def _take(self, lanes: Sequence[Lane], most: int, timeout_ms: int = 0) -> int:
        """At most so many records of all these; returns how many there were."""
        if most < 1:
            return 0
        partitions = [lane.partition for lane in lanes]
        batches = await self._consumer.getmany(*partitions, timeout_ms=timeout_ms, max_records=most)
        return sum(self._submit(self.lanes.get(partition), records) for partition, records in batches.items())

    def _submit(self, lane: Lane | None, records: Sequence[Any]) -> int:
        if lane is None or not records:
            return 0
        deliveries = [self._delivery(lane, record) for record in records]
        self._emit(RecordsReceived(self.name, len(deliveries), sum(_size(item.record) for item in deliveries)))
        self._step.submit(deliveries)
        return len(deliveries)

    def _delivery(self, lane: Lane, raw: Any) -> Delivery:
        record = Record(raw.topic, raw.partition, raw.offset, raw.timestamp, raw.key, raw.value, raw.headers)
        expired = self._expired(lane, record)
        self._lanes.take(lane, record)

        def done() -> None:
            if lane.revoked:
                return  # abandoned: its next owner delivers it again
            self._lanes.done(lane, record)
            self._emit(RecordsDone(self.name, 1))
            self._wake.set()

        return Delivery(record, done, expired)

    def _expired(self, lane: Lane, record: Record) -> range:
        """Neither topic is compacted or written in transactions: a hole in the offsets is what retention took."""
        if lane.position is None or record.offset <= lane.position:
            return range(0)
        gone = range(lane.position, record.offset)
        self._emit(RecordsExpired(self.name, record.topic, record.partition, gone.start, gone.stop - 1))
        return gone

    def _open_lanes(self) -> list[Lane]:
        rooms = self._lanes.rooms()
        for lane, room in rooms:
            self._note_hold(lane, held=room < 1)
        return [lane for lane, room in rooms if room > 0]

    def _note_hold(self, lane: Lane, *, held: bool) -> None:
        now = self._clock.monotonic()
        if held and lane.held_since is None:
            lane.held_since = now
        elif not held and lane.held_since is not None:
            self._emit(Paused(self.name, lane.partition.partition, now - lane.held_since))
            lane.held_since = None

    async def _commit_forever(self) -> None:
        while True:
            await asyncio.sleep(self.limits.commit_interval_s)
            await self.commit()

    async def _wake_on(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._wake.set()

    async def _wait_for_wake(self, timeout_s: float) -> None:
        try:
            async with asyncio.timeout(timeout_s):
                await self._wake.wait()
        except TimeoutError:
            pass  # poll again


class _Rebalance(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka is untyped
    """Hands the group's decisions to the stage."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage

    async def on_partitions_revoked(self, revoked: Iterable[Any]) -> None:
        await self._stage.give_up(_partitions(revoked))

    async def on_partitions_assigned(self, assigned: Iterable[Any]) -> None:
        await self._stage.take_over(_partitions(assigned))


def _partitions(given: Iterable[Any]) -> frozenset[Partition]:
    return frozenset(Partition(item.topic, item.partition) for item in given)


def _listed(partitions: Iterable[Partition]) -> str:
    return ",".join(f"{topic}/{number}" for topic, number in sorted(partitions))


def _size(record: Record) -> int:
    return len(record.value or b"")
