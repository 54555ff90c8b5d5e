"""The Step of the sinks: inspections -> states, events, outbox and offset, one SQL transaction a batch.

A partition's state is read from the store when the group assigns it, and reading resumes at the offset that is stored
with it; what is committed to Kafka only shows the lag. A batch that the store refuses had been accounted for by another
owner: the state is read anew, and what that owner has done is skipped.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Protocol, TypeVar

from andon.backoff import Backoff
from andon.clock import Clock
from andon.errors import FatalError, RetryableError
from andon.events import BatchAccounted, DefectChanged, Emit, EpochOpened, PartJudged, Retrying, WriteRefused
from andon.stream.offsets import Partition
from andon.stream.step import Delivery
from sinks.batch import Work, gather
from sinks.channels.channel import Live
from sinks.epoch import Anew, another_log
from sinks.judgement.rules import Policy
from sinks.judgement.sessions import expire, lose_log
from sinks.judgement.snapshot import snapshot
from sinks.judgement.state import CameraAccount
from sinks.log_ends import Ends, LogEnds
from sinks.store.store import Store
from sinks.store.stored import Opening, Position

T = TypeVar("T")
KEPT_SESSIONS = 4
"""Ledgers of past sessions that stay in memory, for records that are delivered again; others are read when needed."""


class Outbox(Protocol):
    """What the account needs of `outbox.Dispatcher`."""

    def wake(self) -> None: ...
    def own(self, partitions: frozenset[int]) -> None: ...


@dataclass(frozen=True, slots=True)
class Outlets:
    """Whom the account tells what it has stored."""

    live: Live
    outbox: Outbox

    def own(self, partitions: frozenset[int]) -> None:
        """Send and show what belongs to these partitions, and nothing of any other."""
        self.live.own(partitions)
        self.outbox.own(partitions)


@dataclass(frozen=True, slots=True)
class AccountRules:
    policy: Policy
    alerts: tuple[str, ...]
    """The channels by which each defect event leaves."""
    log: str = ""
    """The log's name (`kafka.epoch`)."""
    batch_s: float = 0.1
    batch_records: int = 500
    """So many records of a partition at most in one transaction."""
    backoff: Backoff = field(default_factory=lambda: Backoff(first_s=0.1, most_s=5.0))
    pause: Callable[[float], Awaitable[object]] = asyncio.sleep


@dataclass(slots=True, eq=False)
class Lane:
    """One partition that is ours."""

    partition: Partition
    position: Position
    cameras: dict[str, CameraAccount]
    waiting: deque[Delivery] = field(default_factory=deque)
    read: int = 0
    """The offset after the last record that was handed over."""


class Account:
    """Accounts for the partitions that a stage gives it. Event loop only; `run` must be under way."""

    def __init__(
        self, store: Store, ends: LogEnds, outlets: Outlets, rules: AccountRules, clock: Clock, emit: Emit
    ) -> None:
        self._store = store
        self._ends = ends
        self._outlets = outlets
        self._rules = rules
        self._clock = clock
        self._emit = emit
        self._lanes: dict[Partition, Lane] = {}
        self._news = asyncio.Event()
        self._turn = asyncio.Lock()
        self._stop = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        """Store what has gathered, every `batch_s` while there is something, until `stop`; then the stage drains."""
        self._stop = stop
        waker = asyncio.create_task(self._wake_at(stop), name="account.stop")
        try:
            while not stop.is_set():
                await self._news.wait()
                self._news.clear()
                await self._rules.pause(self._rules.batch_s)
                await self._flush(frozenset(self._lanes))
        finally:
            waker.cancel()

    async def assigned(self, partitions: frozenset[Partition]) -> Mapping[Partition, int]:
        """Read what is known of these, and return where their accounts go on."""
        if not partitions:
            return {}
        stored = {item: await self._position(item) for item in sorted(partitions)}
        # only now: what a zombie accounts for in between must not look like more than the log holds
        ends = await self._insist("the log's ends", lambda: self._ends.read(partitions))
        for partition, position in stored.items():
            await self._judge(partition, position, ends[partition])
            self._lanes[partition] = await self._load(partition)
        self._own()
        for partition in partitions:
            states = self._lanes[partition].cameras.values()
            await self._outlets.live.show(partition.partition, [snapshot(state) for state in states], ())
        return {partition: self._lanes[partition].position.next_offset for partition in partitions}

    def submit(self, deliveries: Sequence[Delivery]) -> None:
        """Raises FatalError where the log has begun anew under a running consumer: on a restart that is an epoch."""
        record = deliveries[0].record
        lane = self._lanes[Partition(record.topic, record.partition)]
        if record.offset < lane.read:
            raise FatalError(
                f"{record.topic}/{record.partition}: offset {record.offset} follows on {lane.read - 1}: the broker came"
                " back with another log; this process stops, and begins with it when restarted"
            )
        due = lane.read or lane.position.next_offset
        if record.offset > due:
            raise FatalError(
                f"{record.topic}/{record.partition}: records {due} to {record.offset - 1} expired before they"
                " were accounted for; this process stops, and says so in the account when restarted"
            )
        lane.read = deliveries[-1].record.offset + 1
        lane.waiting.extend(deliveries)
        self._news.set()

    async def drain(self, partitions: frozenset[Partition]) -> None:
        """Store what waits. Unless the process stops, the partitions are another's afterwards."""
        try:
            while any(self._lanes[partition].waiting for partition in partitions & self._lanes.keys()):
                await self._flush(partitions)
        finally:
            if not self._stop.is_set():  # a stopping process keeps them: what is in the outbox still leaves by it
                for partition in partitions:
                    self._lanes.pop(partition, None)
                self._own()

    def _own(self) -> None:
        self._outlets.own(frozenset(partition.partition for partition in self._lanes))

    async def _wake_at(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self._news.set()

    async def _position(self, partition: Partition) -> Position | None:
        return await self._insist("the store", lambda: self._store.position(partition))

    async def _judge(self, partition: Partition, position: Position | None, ends: Ends) -> None:
        """Open an epoch where the log is not the one that the account stands in, or has moved on without it.

        If another sink moves the account meanwhile, nothing is opened, and what it has left is judged anew.
        """
        while (anew := another_log(position, self._rules.log, ends)) is not None:
            await self._begin(partition, anew, position)
            before, position = position, await self._position(partition)
            if position == anew.position:
                if before is not None:
                    self._emit(EpochOpened(partition.topic, partition.partition, position.epoch, anew.detail))
                return
            ends = (await self._insist("the log's ends", lambda: self._ends.read([partition])))[partition]

    async def _begin(self, partition: Partition, anew: Anew, stood: Position | None) -> None:
        """Open an epoch, unless it is another's by now. What the sessions still had in the log is lost with it."""
        cameras = await self._insist("the store", lambda: self._store.cameras(partition.partition))
        for state in cameras.values():
            (expire if anew.expired else lose_log)(state)
        opening = Opening(self._clock.now(), anew.detail, tuple(cameras.values()), stood)
        await self._insist("the store", lambda: self._store.begin(partition, anew.position, opening))

    async def _load(self, partition: Partition) -> Lane:
        # the position first: what a zombie writes in between then gets our next batch refused, and is not overwritten
        position = await self._position(partition)
        cameras = await self._insist("the store", lambda: self._store.cameras(partition.partition))
        assert position is not None, "an epoch is opened before anything is loaded"
        return Lane(partition, position, cameras)

    async def _flush(self, partitions: frozenset[Partition]) -> None:
        """One batch of each of these partitions that has something."""
        async with self._turn:
            begun_s = self._clock.monotonic()
            lanes = [self._lanes[item] for item in sorted(partitions & self._lanes.keys()) if self._lanes[item].waiting]
            works = [await self._gather(lane) for lane in lanes]
            refused = await self._insist("the store", lambda: self._store.write([work.batch for work in works]))
            for lane, work in zip(lanes, works, strict=True):
                if self._lanes.get(lane.partition) is not lane:
                    continue  # taken away meanwhile: whoever has it goes on from what is stored
                if lane.partition in refused:
                    await self._reload(lane)
                else:
                    await self._stored(lane, work, self._clock.monotonic() - begun_s)
            if any(lane.waiting for lane in lanes):
                self._news.set()

    async def _gather(self, lane: Lane) -> Work:
        deliveries = list(islice(lane.waiting, self._rules.batch_records))
        work = gather(lane.partition, lane.position, deliveries, self._clock.now(), self._emit)
        missing = work.unknown_sessions(lane.cameras)
        if missing:
            number = lane.partition.partition
            found = await self._insist("the store", lambda: self._store.ledgers(number, missing))
            for (camera_id, session), ledger in found.items():
                lane.cameras[camera_id].sessions[session] = ledger
        work.step(lane.cameras, self._rules.policy, self._rules.alerts)
        return work

    async def _stored(self, lane: Lane, work: Work, seconds: float) -> None:
        lane.position = work.after
        for delivery in work.deliveries:
            lane.waiting.popleft()
            delivery.done()
        for state in work.touched:
            _forget_old_sessions(state)
        batch = work.batch
        self._emit(BatchAccounted(lane.partition.partition, len(work.deliveries), work.redelivered, seconds))
        for event in batch.events:
            changed = DefectChanged(event.camera_id, event.defect_id, event.transition, event.label, event.severity)
            self._emit(changed)
        for verdict in batch.verdicts:
            self._emit(PartJudged(verdict.camera_id, verdict.part_id, verdict.verdict, verdict.reason or ""))
        snapshots = [snapshot(state) for state in work.touched]
        await self._outlets.live.show(lane.partition.partition, snapshots, work.inspections)
        if batch.leaving:
            self._outlets.outbox.wake()

    async def _reload(self, lane: Lane) -> None:
        """Refused: take what the other owner has stored, and go on behind it if the partition stays ours."""
        expected = lane.position
        self._emit(WriteRefused(lane.partition.partition, expected.next_offset))
        stored = await self._load(lane.partition)
        if stored.position.epoch != expected.epoch or stored.position.next_offset < expected.next_offset:
            raise FatalError(
                f"{lane.partition.topic}/{lane.partition.partition}: the store stands at offset"
                f" {stored.position.next_offset} of epoch {stored.position.epoch}, this process was at"
                f" {expected.next_offset} of epoch {expected.epoch}; it stops, and resumes there when restarted"
            )
        lane.position, lane.cameras = stored.position, stored.cameras

    async def _insist(self, what: str, call: Callable[[], Awaitable[T]]) -> T:
        """Until it succeeds: what is away comes back, and nothing is lost meanwhile."""
        attempt = 0
        while True:
            try:
                return await call()
            except RetryableError as error:
                attempt += 1
                delay_s = self._rules.backoff.delay_s(attempt)
                self._emit(Retrying(what, str(error), attempt, delay_s))
                await self._rules.pause(delay_s)


def _forget_old_sessions(state: CameraAccount) -> None:
    state.changed.clear()
    past = [name for name in state.sessions if name not in state.open_sessions]
    for name in past[: max(0, len(past) - KEPT_SESSIONS)]:
        del state.sessions[name]
