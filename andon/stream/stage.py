"""A Stage reads a group's partitions, bounds the records in flight, and commits only records that are done.

Workers and sinks are both a Stage around a Step. The step knows nothing of Kafka: it takes records, and says when each
one is durable; the stage commits contiguously behind it. A full stage holds its partitions back and keeps polling, and
a step loads a partition while heartbeats go on: so the stage stays a member of its group however long it waits.
"""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from andon.backoff import Backoff, Retrier
from andon.clock import Clock
from andon.errors import RetryableError
from andon.events import (
    Emit,
    LogCut,
    PartitionsAssigned,
    PartitionsRevoked,
    Paused,
    RecordsDone,
    RecordsExpired,
    RecordsReceived,
    Retrying,
)
from andon.process.tasks import wake_at_stop
from andon.stream.committer import Committer
from andon.stream.consumer import Consumer
from andon.stream.continuity import Continuity
from andon.stream.lanes import Lane, Lanes
from andon.stream.loading import Loading
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
        retrier = Retrier(emit, BACKOFF)
        self._start = StartOffsets(consumer, retrier, f"{name} offsets", limits.commit_timeout_s)
        self._continuity = Continuity(consumer, retrier, limits.commit_timeout_s)
        self._committer = Committer(name, consumer, self._lanes, limits.commit_timeout_s, emit)
        self._loading = Loading(f"{name}.load", self._fail)
        self._stopping = False
        self._failure: Exception | None = None
        self._wake = asyncio.Event()
        self.records_done = 0
        self.opening = False
        """The group is shared out anew, or partitions that it assigned are not open yet."""
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
            await self._loading.stop()
            committer.cancel()
            await asyncio.gather(committer, return_exceptions=True)

    async def commit(self) -> None:
        """Commit the records that are done. Raises FatalError where the broker refuses for good."""
        await self._committer.commit(self.limits.commit_interval_s)

    async def take_over(self, partitions: frozenset[Partition]) -> None:
        """The group assigned these: begin to load them, and return at once."""
        if not self._stopping:
            self._continuity.assigned(partitions)
            self._loading.begin(lambda: self._open(partitions))

    async def give_up(self, partitions: frozenset[Partition]) -> None:
        """The group takes these away: finish or abandon their records in flight, commit, and discard their steps."""
        self.opening = True
        await self._loading.stop()
        if not partitions:
            return
        lanes = [self.lanes[partition] for partition in partitions if partition in self.lanes]
        try:
            await self._drain_in_time(lanes)
            await self.commit()
        except Exception as error:  # the client would only log it
            self._fail(error)
        finally:
            abandoned = sum(self._leave(lane) for lane in lanes)
        self._emit(PartitionsRevoked(self.name, _listed(partitions), abandoned))

    async def _finish(self) -> None:
        self._stopping = True
        await self._loading.stop()
        await self._drain(list(self.lanes.values()))
        await self.commit()
        self._raise_failure()

    async def _drain_in_time(self, lanes: Sequence[Lane]) -> None:
        """When the time is up, the rest is delivered again, to the next owner."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self.limits.rebalance_drain_s):
                await self._drain(lanes)

    async def _drain(self, lanes: Sequence[Lane]) -> None:
        async with asyncio.TaskGroup() as tasks:
            for lane in lanes:
                tasks.create_task(lane.step.drain(), name=f"{self.name}.drain.{lane.partition.partition}")

    def _leave(self, lane: Lane, went_on_at: int | None = None) -> int:
        """Close the lane. Returns how many of its records in flight are abandoned."""
        self._continuity.leave(lane, went_on_at)
        lane.step.discard()
        return self._lanes.close(lane)

    async def _open(self, partitions: frozenset[Partition]) -> None:
        cuts = await self._continuity.cuts(partitions)
        for (topic, number), cut in cuts.items():
            self._emit(LogCut(self.name, topic, number, cut.gone.start, cut.gone.stop - 1))
        steps = await self._step.open(partitions, cuts)
        try:
            positions = await self._start.offsets(steps)
        except BaseException:
            for step in steps.values():
                step.discard()
            raise
        for partition, step in steps.items():
            self._lanes.open(partition, step, positions[partition])
            self._consumer.read_from(partition, positions[partition])
            self._continuity.opened(partition)
        self.opening = False
        self.joined.set()
        self._wake.set()
        self._emit(PartitionsAssigned(self.name, _listed(partitions)))

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
        return sum([await self._receive(partition, records) for partition, records in batches.items() if records])

    async def _receive(self, partition: Partition, records: Sequence[Record]) -> int:
        lane = self.lanes.get(partition)
        if lane is None or not (self._continuity.proven(lane, records[0]) or await self._holds(lane, records[0])):
            return 0
        return self._submit(lane, records)

    async def _holds(self, lane: Lane, first: Record) -> bool:
        """Whether `first` may be taken. If the log has lost its end, the partition is opened anew where it goes on."""
        try:
            holds = await self._continuity.holds(lane, first)
        except RetryableError as error:
            self._emit(Retrying("the log's continuity", str(error), 1, 0.0))
            if not lane.revoked:
                self._consumer.read_from(lane.partition, lane.position)
            return False
        if not holds and not lane.revoked:
            lane.cut = True
            went_on_at = first.offset if first.offset < lane.position else None
            self._loading.begin(lambda: self._reopen(lane, went_on_at))
        return holds and not lane.revoked

    async def _reopen(self, lane: Lane, went_on_at: int | None) -> None:
        """Records in flight are finished: the pictures that the broker has lost may be here."""
        await self._drain_in_time([lane])
        self._leave(lane, went_on_at)
        await self._open(frozenset({lane.partition}))

    def _submit(self, lane: Lane, records: Sequence[Record]) -> int:
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
            self.records_done += 1
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
        with suppress(TimeoutError):  # poll again
            async with asyncio.timeout(timeout_s):
                await self._wake.wait()


def _listed(partitions: Iterable[Partition]) -> str:
    return ",".join(f"{topic}/{number}" for topic, number in sorted(partitions))
