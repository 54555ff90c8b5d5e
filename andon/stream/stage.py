"""A Stage reads a group's partitions, bounds the records in flight, and commits only records that are done.

Workers and sinks are both a Stage around a Step. The step knows nothing of Kafka: it takes records, and says when each
one is durable; the stage commits contiguously behind it. A full stage holds its partitions back and keeps polling, and
a step loads a partition while heartbeats go on: so the stage stays a member of its group however long it waits.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from andon.backoff import Backoff, Retrier
from andon.clock import Clock
from andon.errors import RetryableError
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
from andon.process.tasks import wake_at_stop
from andon.stream.consumer import Consumer, NotOwnerError
from andon.stream.lanes import Lane, Lanes
from andon.stream.offsets import Partition
from andon.stream.start_offsets import StartOffsets
from andon.stream.step import Delivery, Step
from andon.wire import Record

BACKOFF = Backoff(first_s=0.2, most_s=5.0)


@dataclass(frozen=True, slots=True)
class Limits:
    max_in_flight: int
    max_in_flight_bytes: int
    poll_ms: int = 100
    """How long one poll waits for data."""
    commit_interval_s: float = 1.0
    commit_timeout_s: float = 10.0
    rebalance_drain_s: float = 5.0
    """How long a revoked partition may finish its records in flight. The rest is abandoned uncommitted."""


class Stage:
    """Runs a step over the partitions of one consumer group: an Owner. One instance a process; event loop only."""

    def __init__(self, name: str, consumer: Consumer, step: Step, limits: Limits, clock: Clock, emit: Emit) -> None:
        self.name = name
        self._consumer = consumer
        self._step = step
        self.limits = limits
        self._clock = clock
        self._emit = emit
        self._lanes = Lanes(limits.max_in_flight, limits.max_in_flight_bytes)
        self._start = StartOffsets(consumer, Retrier(emit, BACKOFF), f"{name} offsets", limits.commit_timeout_s)
        self._loading: asyncio.Task[None] | None = None
        self._stopping = False
        self._failure: Exception | None = None
        self._wake = asyncio.Event()
        self.joined = asyncio.Event()
        """Set when the partitions that the group assigned (perhaps none) are open for the first time."""

    @property
    def lanes(self) -> Mapping[Partition, Lane]:
        return self._lanes.by_partition

    @property
    def in_flight(self) -> int:
        return self._lanes.in_flight

    async def run(self, topics: Sequence[str], stop: asyncio.Event) -> None:
        """Read until `stop` is set, then finish the records in flight and commit them.

        Raises what the step raised while it opened or gave up partitions, and the consumer's fatal errors.
        """
        self._consumer.subscribe(topics, self)
        committer = asyncio.create_task(self._commit_forever(), name=f"{self.name}.commit")
        try:
            with wake_at_stop(stop, self._wake.set, self.name):
                while not stop.is_set():
                    self._raise_failure()
                    if committer.done():
                        committer.result()
                    await self._poll()
            await self._finish()
        finally:
            self._stopping = True
            await self._stop_loading()
            committer.cancel()
            await asyncio.gather(committer, return_exceptions=True)

    async def commit(self) -> None:
        """Commit the records that are done. Only reports a group that has moved on, or a broker that is away.

        Raises FatalError where the broker refuses for good.
        """
        ahead = self._lanes.committable()
        if not ahead:
            return
        try:
            async with asyncio.timeout(self.limits.commit_timeout_s):
                await self._consumer.commit(ahead)
        except NotOwnerError as error:
            self._emit(CommitRefused(self.name, str(error)))
            return
        except (RetryableError, TimeoutError) as error:
            why = str(error) or f"no answer within {self.limits.commit_timeout_s:g} s"
            self._emit(Retrying("commit", why, 1, self.limits.commit_interval_s))
            return
        self._lanes.committed(ahead)
        self._emit(OffsetsCommitted(self.name, len(ahead)))

    async def take_over(self, partitions: frozenset[Partition]) -> None:
        """The group assigned these: begin to load them, and return at once."""
        if not self._stopping:
            self._loading = asyncio.create_task(self._load(partitions), name=f"{self.name}.load")

    async def give_up(self, partitions: frozenset[Partition]) -> None:
        """The group takes these away: finish or abandon their records in flight, commit, and discard their steps."""
        await self._stop_loading()
        if not partitions:
            return
        lanes = [self.lanes[partition] for partition in partitions if partition in self.lanes]
        try:
            await self._drain_in_time(lanes)
            await self.commit()
        except Exception as error:  # the client would only log it
            self._fail(error)
        finally:
            abandoned = sum(self._discard(lane) for lane in lanes)
        self._emit(PartitionsRevoked(self.name, _listed(partitions), abandoned))

    async def _finish(self) -> None:
        self._stopping = True
        await self._stop_loading()
        await self._drain(list(self.lanes.values()))
        await self.commit()
        self._raise_failure()

    async def _drain_in_time(self, lanes: Sequence[Lane]) -> None:
        """When the time is up, the rest is delivered again, to the next owner."""
        try:
            async with asyncio.timeout(self.limits.rebalance_drain_s):
                await self._drain(lanes)
        except TimeoutError:
            pass

    async def _drain(self, lanes: Sequence[Lane]) -> None:
        async with asyncio.TaskGroup() as tasks:
            for lane in lanes:
                tasks.create_task(lane.step.drain(), name=f"{self.name}.drain.{lane.partition.partition}")

    def _discard(self, lane: Lane) -> int:
        lane.step.discard()
        return self._lanes.close(lane)

    async def _load(self, partitions: frozenset[Partition]) -> None:
        try:
            await self._open(partitions)
        except Exception as error:  # nobody awaits this task
            self._fail(error)

    async def _open(self, partitions: frozenset[Partition]) -> None:
        steps = await self._step.open(partitions)
        try:
            positions = await self._start.offsets(steps)
        except BaseException:
            for step in steps.values():
                step.discard()
            raise
        for partition, step in steps.items():
            self._lanes.open(partition, step, positions[partition])
            self._consumer.read_from(partition, positions[partition])
        self.joined.set()
        self._wake.set()
        self._emit(PartitionsAssigned(self.name, _listed(partitions)))

    async def _stop_loading(self) -> None:
        loading, self._loading = self._loading, None
        if loading is not None:
            loading.cancel()
            await asyncio.wait({loading})

    def _fail(self, error: Exception) -> None:
        """End the process with this error: `run` raises it."""
        self._failure = self._failure or error
        self._wake.set()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._failure

    async def _poll(self) -> None:
        """Take what has been fetched, the emptiest lane first: in a backlog each has its turn."""
        taken = 0
        for lane in self._open_lanes():
            # a rebalance may have taken it away while another one was polled
            if not lane.revoked and self._may_have_more(lane):
                taken += await self._take([lane], self._lanes.room(lane))
        if not taken:
            await self._wait()

    def _may_have_more(self, lane: Lane) -> bool:
        """A poll of a partition without records costs as much as a small record."""
        end = self._consumer.highwater(lane.partition)
        return end is None or end > lane.position

    async def _wait(self) -> None:
        open_lanes = self._open_lanes()
        self._wake.clear()
        if not open_lanes:  # full, or nothing is open: wait for room, and stay a member
            await self._consumer.poll([])
            await self._wait_for_wake(self.limits.poll_ms / 1000)
            return
        held = len(open_lanes) < len(self.lanes)
        await self._take(open_lanes, 1, 20 if held else self.limits.poll_ms)

    async def _take(self, lanes: Sequence[Lane], most: int, timeout_ms: int = 0) -> int:
        """Take at most `most` records of all these together. Returns how many there were."""
        if most < 1:
            return 0
        partitions = [lane.partition for lane in lanes]
        batches = await self._consumer.poll(partitions, timeout_ms=timeout_ms, max_records=most)
        return sum(self._submit(self.lanes.get(partition), records) for partition, records in batches.items())

    def _submit(self, lane: Lane | None, records: Sequence[Record]) -> int:
        if lane is None or not records:
            return 0
        deliveries = [self._delivery(lane, record) for record in records]
        self._emit(RecordsReceived(self.name, len(deliveries), sum(len(record.value or b"") for record in records)))
        lane.step.submit(deliveries)
        return len(deliveries)

    def _delivery(self, lane: Lane, record: Record) -> Delivery:
        expired = self._expired(lane, record)
        self._lanes.take(lane, record)

        def done() -> None:
            if lane.revoked:
                return  # abandoned: it is delivered again, to the next owner
            self._lanes.done(lane, record)
            self._emit(RecordsDone(self.name, 1))
            self._wake.set()

        return Delivery(record, done, expired)

    def _expired(self, lane: Lane, record: Record) -> range:
        """Neither topic is compacted or written in transactions, so only retention leaves a hole in the offsets."""
        if record.offset <= lane.position:
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
        if held and lane.held_since is None:
            lane.held_since = self._clock.monotonic()
        elif not held and lane.held_since is not None:
            self._emit(Paused(self.name, lane.partition.partition, self._clock.monotonic() - lane.held_since))
            lane.held_since = None

    async def _commit_forever(self) -> None:
        while True:
            await asyncio.sleep(self.limits.commit_interval_s)
            await self.commit()

    async def _wait_for_wake(self, timeout_s: float) -> None:
        try:
            async with asyncio.timeout(timeout_s):
                await self._wake.wait()
        except TimeoutError:
            pass  # poll again


def _listed(partitions: Iterable[Partition]) -> str:
    return ",".join(f"{topic}/{number}" for topic, number in sorted(partitions))
