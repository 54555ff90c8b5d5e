"""The step of the sinks: inspections -> states, events, outbox and offset, one SQL transaction a batch.

A partition's state is read from the store when the group assigns it, and lives in an object that goes with the
assignment. Reading resumes at the offset that is stored with the state; Kafka's own committed offset only shows the
lag. A batch that the store refuses was accounted for by another owner: the state is read again, and the records that
this owner has done are skipped. One task stores the batches of all partitions; no other code writes.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Protocol

from andon.backoff import Backoff, Retrier
from andon.clock import Clock
from andon.events import (
    AlarmChanged,
    BatchAccounted,
    CapturedTwice,
    DefectChanged,
    Emit,
    PartJudged,
    SessionPruned,
    WriteRefused,
)
from andon.process.tracing import Tracing
from andon.stream.offsets import Partition
from andon.stream.step import NO_CUTS, Cut
from sinks.batch import OpenBatch, gather
from sinks.channels.channel import Live
from sinks.judgement.ledger import PrunedLedger
from sinks.judgement.rules import JudgementRules
from sinks.judgement.snapshot import snapshot
from sinks.judgement.state import CameraAccount
from sinks.partition_account import PartitionAccount
from sinks.store.store import Store
from sinks.takeover import LogEnds, Takeover


class Outbox(Protocol):
    """What the account needs of `outbox.Dispatcher`."""

    def wake(self, channels: Collection[str] | None = None) -> None: ...
    def own(self, partitions: frozenset[int]) -> None: ...


@dataclass(frozen=True, slots=True)
class Outlets:
    """Who learns what the account has stored."""

    live: Live
    outbox: Outbox
    tracing: Tracing | None = None

    def own(self, partitions: frozenset[int]) -> None:
        """Send and show what belongs to these partitions, and nothing of any other."""
        self.live.own(partitions)
        self.outbox.own(partitions)


@dataclass(frozen=True, slots=True)
class AccountRules:
    judgement: JudgementRules
    alerts: tuple[str, ...]
    """The channels by which each event leaves."""
    log: str = ""
    """The log's name (`kafka.epoch`)."""
    clips: bool = False
    """Whether opened defects and rejected parts get clips."""
    batch_s: float = 0.1
    batch_records: int = 500
    """At most this many records of a partition in one transaction."""
    backoff: Backoff = field(default_factory=lambda: Backoff(first_s=0.1, most_s=5.0))
    pause: Callable[[float], Awaitable[object]] = asyncio.sleep


class Account:
    """The step of the sinks. Event loop only; `run` must be under way."""

    def __init__(
        self, store: Store, ends: LogEnds, outlets: Outlets, rules: AccountRules, clock: Clock, emit: Emit
    ) -> None:
        self._store = store
        self._outlets = outlets
        self._rules = rules
        self._clock = clock
        self._emit = emit
        self._retrier = Retrier(emit, rules.backoff, rules.pause)
        self._takeover = Takeover(store, ends, rules.log, clock, self._retrier)
        self._open: list[PartitionAccount] = []
        self._news = asyncio.Event()

    async def run(self) -> None:
        """Store what waits, every `batch_s` while something waits, and at once in a drain. Ends when cancelled."""
        while True:
            await self._news.wait()
            self._news.clear()
            if not any(account.draining for account in self._open):
                await self._rules.pause(self._rules.batch_s)
            await self._flush([account for account in self._open if account.waiting])

    async def open(
        self, partitions: frozenset[Partition], cuts: Mapping[Partition, Cut] = NO_CUTS
    ) -> Mapping[Partition, PartitionAccount]:
        """Read what the store knows of these. Their accounts go on from there."""
        if not partitions:
            return {}
        known = await self._takeover.load(partitions, cuts)
        opened = {item: PartitionAccount(item, known[item], self._news.set, self._discarded) for item in sorted(known)}
        self._open += opened.values()
        self._own()
        try:
            for (_, number), account in opened.items():
                await self._outlets.live.show(number, [snapshot(camera) for camera in account.cameras.values()], ())
        except BaseException:
            for account in opened.values():
                account.discard()
            raise
        return opened

    @property
    def cameras(self) -> Iterator[CameraAccount]:
        """The cameras of the partitions that are open now."""
        return (camera for account in self._open for camera in account.cameras.values())

    def _discarded(self, account: PartitionAccount) -> None:
        self._open.remove(account)
        self._own()

    def _own(self) -> None:
        self._outlets.own(frozenset(account.partition.partition for account in self._open))

    async def _flush(self, accounts: Sequence[PartitionAccount]) -> None:
        """Store one batch of each of these."""
        begun_s = self._clock.monotonic()
        try:
            works = [(account, await self._step(account, begun_s)) for account in accounts]
            refused = await self._retrier.insist("the store", lambda: self._write(works))
            for account, work in works:
                if account.discarded:
                    continue  # taken away meanwhile: its next owner goes on from what is stored
                if account.partition in refused:
                    await self._reload(account)
                else:
                    await self._stored(account, work, self._clock.monotonic() - begun_s)
        except BaseException:  # their states are stepped and perhaps stored: nobody may go on from them
            for account in accounts:
                account.discard()
            raise
        if any(account.waiting for account in self._open):
            self._news.set()

    async def _step(self, account: PartitionAccount, begun_s: float) -> OpenBatch:
        deliveries = list(islice(account.waiting, self._rules.batch_records))
        work = gather(account.partition, account.position, deliveries, self._clock.now(), self._emit)
        number = account.partition.partition
        missing = [(number, camera_id, session) for camera_id, session in work.unknown_sessions(account.cameras)]
        if missing:
            found = await self._retrier.insist("the store", lambda: self._store.ledgers(missing))
            for (_, camera_id, session), ledger in found.items():
                account.cameras[camera_id].sessions[session] = ledger
                if isinstance(ledger, PrunedLedger):
                    self._emit(SessionPruned(camera_id, session))
        if self._outlets.tracing is not None:
            work.trace(self._outlets.tracing, begun_s)
        work.step(account.cameras, self._rules.judgement, self._rules.alerts, clips=self._rules.clips)
        return work

    async def _write(self, works: Sequence[tuple[PartitionAccount, OpenBatch]]) -> frozenset[Partition]:
        """One attempt, without the partitions that were taken away since the last one."""
        return await self._store.write([work.batch for account, work in works if not account.discarded])

    async def _stored(self, account: PartitionAccount, work: OpenBatch, seconds: float) -> None:
        number, batch = account.partition.partition, work.batch
        account.advance(work)
        for trace in work.traces:
            trace.end()
        self._emit(BatchAccounted(number, len(work.deliveries), work.redelivered, seconds))
        for camera_id, frames in work.captured_twice.items():
            self._emit(CapturedTwice(camera_id, frames))
        for event in batch.events:
            changed = DefectChanged(event.camera_id, event.defect_id, event.transition, event.label, event.severity)
            self._emit(changed)
        for verdict in batch.verdicts:
            self._emit(PartJudged(verdict.camera_id, verdict.part_id, verdict.verdict, verdict.reason or ""))
        for alarm in batch.alarms:
            self._emit(AlarmChanged(alarm.alarm_id, alarm.kind, alarm.change, alarm.state, alarm.severity, alarm.by))
        await self._outlets.live.show(number, [snapshot(camera) for camera in work.touched], work.inspections)
        if batch.leaving:
            self._outlets.outbox.wake({item.channel for item in batch.leaving})

    async def _reload(self, account: PartitionAccount) -> None:
        """The store refused its batch: take what the other owner has stored, and go on behind it."""
        self._emit(WriteRefused(account.partition.partition, account.position.next_offset))
        known = await self._takeover.reload([account.partition])
        if not account.discarded:
            account.go_on_from(known[account.partition])
            self._outlets.outbox.wake()  # that owner may be gone, and has left something there
