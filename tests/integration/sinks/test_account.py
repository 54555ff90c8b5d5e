"""The account over a real store: crashes, zombies, redelivery and lost logs end in the same events, once."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial

import pytest
import pytest_asyncio
from sqlalchemy import select

from andon.errors import FatalError, RetryableError
from andon.events import (
    BatchAccounted,
    DefectChanged,
    EpochOpened,
    PartJudged,
    RecordQuarantined,
    Retrying,
    WriteRefused,
)
from andon.stream.offsets import Ends, Partition
from andon.stream.step import Delivery
from andon.wire import Outgoing, Record, encode
from sinks.account import Account, AccountRules, Outlets
from sinks.judgement.step import AccountMessage
from sinks.judgement.tally import Tally
from sinks.partition_account import PartitionAccount
from sinks.quarantine_order import QuarantineOrder
from sinks.store import tables
from sinks.store.store import Store
from sinks.store.stored import Batch, Position
from tests.fakes import FakeClock, RecordedEvents
from tests.integration.sinks.outlets import MemoryOutlets
from tests.unit.sinks.judgement.belt import Belt, Flaw, Piece, part_rules
from tests.unit.sinks.judgement.frames import DEFECT_RULES, crossing, inspected, status

pytestmark = pytest.mark.integration
HERE = Partition("andon.inspections", 0)
LOG: list[AccountMessage] = [
    *crossing(range(20)),
    status(20),
    *(inspected(seq) for seq in range(20, 40)),
    *crossing(range(40, 60), first=40),
    status(60, final=True),
]
IDS = [
    "press-1/s1/0/scratch-1/opened",
    "press-1/s1/0/scratch-1/closed",
    "press-1/s1/40/scratch-1/opened",
    "press-1/s1/40/scratch-1/closed",
]


@dataclass
class MemoryLog:
    """One partition's records, what of them has been handed out, and what has been done."""

    records: list[Record] = field(default_factory=list)
    first: int = 0
    done: list[int] = field(default_factory=list)
    away: int = 0
    _given: int = 0
    _settled: asyncio.Event = field(default_factory=asyncio.Event)

    def append(self, messages: Iterable[AccountMessage]) -> "MemoryLog":
        for message in messages:
            self.append_raw(partial(_record, sent=encode(message)))
        return self

    def append_raw(self, make: Callable[[int], Record]) -> None:
        self.records.append(make(len(self.records)))

    async def read(self, partitions: Iterable[Partition]) -> Mapping[Partition, Ends]:
        if self.away:
            self.away -= 1
            raise RetryableError("the broker is away")
        return dict.fromkeys(partitions, Ends(self.first, len(self.records)))

    def deliver(self, sink: "Sink", first: int, last: int) -> None:
        """Records `first` to `last` - 1."""
        chosen = self.records[first:last]
        self._given += len(chosen)
        self._settled.clear()
        sink.opened.submit([Delivery(record, partial(self._do, record.offset)) for record in chosen])

    def _do(self, offset: int) -> None:
        self.done.append(offset)
        if len(self.done) == self._given:
            self._settled.set()

    async def settled(self) -> None:
        async with asyncio.timeout(60):
            await self._settled.wait()


def _record(offset: int, sent: Outgoing) -> Record:
    return Record(HERE.topic, HERE.partition, offset, sent.timestamp_ms, sent.key, sent.value, sent.headers)


async def at_once(_seconds: float) -> None:
    await asyncio.sleep(0)


RULES = AccountRules(DEFECT_RULES, ("redis", "kafka"), pause=at_once)


class Sink:
    """An account on a store, whose events only this test sees."""

    def __init__(self, store: Store, log: MemoryLog, rules: AccountRules = RULES) -> None:
        self.outlets = MemoryOutlets()
        self.events = RecordedEvents()
        self.log = log
        outlets = Outlets(self.outlets, self.outlets)
        self.account = Account(store, log, outlets, rules, FakeClock(), self.events)
        self.opened: PartitionAccount

    async def open(self) -> PartitionAccount:
        self.opened = (await self.account.open(frozenset({HERE})))[HERE]
        return self.opened

    @asynccontextmanager
    async def running(self) -> AsyncIterator[int]:
        """Gives the offset to resume from. At the end everything is abandoned, as a kill would do."""
        task = asyncio.create_task(self.account.run())
        try:
            yield (await self.open()).resume_at
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@pytest_asyncio.fixture
async def log() -> MemoryLog:
    return MemoryLog().append(LOG)


async def outbox(store: Store, channel: str = "kafka") -> list[str]:
    return [item.event_id for item in await store.waiting(channel, frozenset({0}), 1000)]


async def tally(store: Store, session: str = "s1") -> Tally:
    return (await store.everything()).ledgers["press-1", session].tally()


async def test_a_batch_is_stored_shown_reported_and_done(store: Store, log: MemoryLog) -> None:
    sink = Sink(store, log)
    async with sink.running() as resume:
        assert resume == 0
        assert sink.outlets.owned == {0}
        log.deliver(sink, 0, len(LOG))
        await log.settled()
    assert log.done == list(range(len(LOG)))
    assert await outbox(store) == await outbox(store, "redis") == IDS
    assert await outbox(store, "evidence") == [f"press-1/s1/{seq}/scratch-1/evidence" for seq in (0, 40)]
    assert [event.transition for event in sink.events.of(DefectChanged)] == ["opened", "closed"] * 2
    assert sum(event.records for event in sink.events.of(BatchAccounted)) == len(LOG)
    assert sink.outlets.snapshots["press-1"].counts["inspected"] == 60
    assert len(sink.outlets.inspections) == 60
    assert sink.outlets.woken
    assert (await tally(store)).in_flight == 0


@pytest.mark.parametrize("stride", [1, 7])
async def test_a_crash_after_any_batch_gives_the_same_events_with_the_same_ids(
    store: Store, log: MemoryLog, stride: int
) -> None:
    """Each owner is killed after `stride` records; the next one resumes behind them."""
    done = 0
    while done < len(LOG):
        sink = Sink(store, log, replace(RULES, batch_records=stride))
        async with sink.running() as resume:
            assert resume == done
            log.deliver(sink, resume, resume + stride)
            await log.settled()
            done = min(resume + stride, len(LOG))
    assert await outbox(store) == IDS
    assert (await tally(store)).inspected == 60
    assert (await tally(store)).redelivered == 0


BELT = Belt((Piece(-120, (Flaw(),)), Piece(-400), Piece(-680)), 40.0, 27)
PARTS: list[AccountMessage] = [*BELT.inspections(), status(27, final=True)]
VERDICTS = [("press-1/s1/2/part-1", "reject"), ("press-1/s1/9/part-1", "pass"), ("press-1/s1/16/part-1", "unknown")]


async def kept(store: Store) -> list[tuple[str, str]]:
    query = select(tables.parts.c.part_id, tables.parts.c.verdict).order_by(tables.parts.c.at, tables.parts.c.part_id)
    return await store._database.run(lambda connection: [(row[0], row[1]) for row in connection.execute(query)])


@pytest.mark.parametrize("stride", [1, 5, 100])
async def test_each_part_has_one_verdict_stored_and_sent_whatever_dies_in_between(store: Store, stride: int) -> None:
    log, done = MemoryLog().append(PARTS), 0
    emitted: list[tuple[str, str]] = []
    rules = replace(RULES, judgement=part_rules(), batch_records=stride)
    while done < len(PARTS):
        sink = Sink(store, log, rules)
        async with sink.running() as resume:
            assert resume == done
            log.deliver(sink, resume, min(resume + stride, len(PARTS)))
            await log.settled()
            done = min(resume + stride, len(PARTS))
        emitted += [(event.part, event.verdict) for event in sink.events.of(PartJudged)]
    assert await kept(store) == emitted == VERDICTS
    sent = await outbox(store)
    assert sent == await outbox(store, "redis")
    assert [name for name in sent if name.endswith("/verdict")] == [f"{part}/verdict" for part, _ in VERDICTS]
    defect = "press-1/s1/3/scratch-1"
    assert sent.index(f"{defect}/opened") < sent.index(f"{VERDICTS[0][0]}/verdict")
    assert sink.outlets.snapshots["press-1"].parts == {"pass": 1, "reject": 1, "unknown": 1}


async def test_redelivered_inspections_change_neither_ledger_nor_counters_nor_events(store: Store) -> None:
    log = MemoryLog().append([*LOG[:30], *LOG[:30], *LOG[10:], *LOG])
    sink = Sink(store, log)
    async with sink.running():
        log.deliver(sink, 0, len(log.records))
        await log.settled()
    whole = await tally(store)
    assert (whole.captured, whole.inspected, whole.lost, whole.duplicates) == (60, 60, {}, 0)
    assert await outbox(store) == IDS
    assert sink.outlets.snapshots["press-1"].verdicts == {"pass": 20, "fail": 40, "unknown": 0}
    assert sum(event.redelivered for event in sink.events.of(BatchAccounted)) == whole.redelivered == 108
    assert len(sink.outlets.inspections) == 60


async def test_records_before_the_stored_offset_are_done_without_being_counted_again(
    store: Store, log: MemoryLog
) -> None:
    first, second = Sink(store, log), Sink(store, log)
    async with first.running():
        log.deliver(first, 0, 30)
        await log.settled()
    async with second.running() as resume:
        assert resume == 30
        log.deliver(second, 0, len(LOG))  # the group's committed offset lags behind
        await log.settled()
    assert await outbox(store) == IDS
    assert (await tally(store)).redelivered == 0


async def test_a_zombies_write_is_refused_and_nothing_counts_twice(store_url: str, log: MemoryLog) -> None:
    store, other = await Store.open(store_url), await Store.open(store_url)
    zombie, owner = Sink(store, log), Sink(other, log)
    async with zombie.running():
        log.deliver(zombie, 0, 15)
        await log.settled()
        async with owner.running() as resume:
            log.deliver(owner, resume, 45)
            await log.settled()
            woken = zombie.outlets.woken
            log.deliver(zombie, 15, 50)  # it wakes up and goes on where it was
            await log.settled()
            assert [event.expected for event in zombie.events.of(WriteRefused)] == [15]
            assert zombie.outlets.woken > woken, "the outbox is looked into: the other owner may be gone"
            log.deliver(owner, 45, len(LOG))
            await log.settled()
    assert await outbox(store) == IDS
    assert (await tally(store)).inspected == 60
    assert (await tally(store)).redelivered == 0
    await store.close()
    await other.close()


@pytest.mark.parametrize("read", ["read", "positions", "load"])
async def test_a_zombie_that_writes_while_another_takes_over_is_neither_overwritten_nor_taken_for_a_lost_log(
    store_url: str, read: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seen in the simulation. The zombie accounts for new records right after the new owner's first `read`."""
    store, other = await Store.open(store_url), await Store.open(store_url)
    log = MemoryLog().append(LOG[:40])
    zombie, owner = Sink(store, log), Sink(other, log)
    target: object = log if read == "read" else other
    genuine = getattr(target, read)

    async def then_the_zombie_wakes(*given: object) -> object:
        answer = await genuine(*given)
        monkeypatch.setattr(target, read, genuine)
        log.append(LOG[40:])
        log.deliver(zombie, 30, 50)
        await log.settled()
        return answer

    async with zombie.running():
        log.deliver(zombie, 0, 30)
        await log.settled()
        monkeypatch.setattr(target, read, then_the_zombie_wakes)
        async with owner.running() as resume:
            log.deliver(owner, resume, len(LOG))
            await log.settled()
    assert await outbox(store) == IDS
    whole = await tally(store)
    assert (whole.inspected, whole.lost, whole.redelivered) == (60, {}, 0)
    assert owner.events.of(EpochOpened) == []
    await store.close()
    await other.close()


async def test_no_epoch_is_opened_over_what_a_zombie_accounts_for_meanwhile(
    store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The zombie still has in memory what the log has no more; it writes after the new owner has judged the log."""
    store, other = await Store.open(store_url), await Store.open(store_url)
    log = MemoryLog().append(LOG)
    zombie, owner = Sink(store, log), Sink(other, log)
    genuine = other.load

    async def then_the_zombie_wakes(partitions: Collection[Partition]) -> object:
        loaded = await genuine(partitions)
        monkeypatch.setattr(other, "load", genuine)
        log.deliver(zombie, 30, 40)
        await log.settled()
        return loaded

    async with zombie.running():
        log.deliver(zombie, 0, 30)
        await log.settled()
        monkeypatch.setattr(other, "load", then_the_zombie_wakes)
        log.first = 35
        async with owner.running() as resume:
            assert resume == 40
            log.deliver(owner, resume, len(LOG))
            await log.settled()
    assert owner.events.of(EpochOpened) == []
    assert await outbox(store) == IDS
    whole = await tally(store)
    assert (whole.inspected, whole.lost, whole.redelivered) == (60, {}, 0)
    assert owner.outlets.snapshots["press-1"].counts["inspected"] == 60
    await store.close()
    await other.close()


async def test_a_store_that_went_back_ends_the_process(store: Store, log: MemoryLog) -> None:
    sink = Sink(store, log)
    await sink.open()
    log.deliver(sink, 0, 30)
    await store.write([Batch(HERE, Position(1, "", 0), 5, FakeClock().now())])
    running = asyncio.create_task(sink.account.run())
    await log.settled()
    log.deliver(sink, 30, 40)
    await store.write([Batch(HERE, Position(1, "", 30), 2, FakeClock().now())])
    with pytest.raises(FatalError, match="resumes there when restarted"):
        await running


async def test_a_store_that_is_busy_is_tried_again_and_nothing_is_lost(
    store: Store, log: MemoryLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, failures = store.write, iter(range(3))

    async def busy(batches: Sequence[Batch]) -> frozenset[Partition]:
        if next(failures, None) is not None:
            raise RetryableError("the store can't be used now: database is locked")
        return await write(batches)

    monkeypatch.setattr(store, "write", busy)
    sink = Sink(store, log)
    async with sink.running():
        log.deliver(sink, 0, len(LOG))
        await log.settled()
    assert [event.attempt for event in sink.events.of(Retrying)] == [1, 2, 3]
    assert await outbox(store) == IDS


async def test_a_broker_that_is_away_at_the_start_is_waited_for(store: Store, log: MemoryLog) -> None:
    log.away = 2
    sink = Sink(store, log)
    async with sink.running() as resume:
        assert resume == 0
    assert len(sink.events.of(Retrying)) == 2


@pytest.mark.parametrize("cause", ["empty", "another", "expired"])
async def test_another_log_opens_an_epoch_and_its_unaccounted_frames_are_lost(store: Store, cause: str) -> None:
    log = MemoryLog().append([*crossing(range(20)), status(25)])
    before = Sink(store, log)
    async with before.running():
        log.deliver(before, 0, 21)
        await log.settled()
    anew = MemoryLog().append([status(30), *crossing(range(30, 35))])
    rules = replace(RULES, log="the second") if cause == "another" else RULES
    if cause == "expired":
        anew.records = [replace(record, offset=record.offset + 50) for record in anew.records]
        anew.first = 50
        anew.records = [*log.records, *[log.records[0]] * 29, *anew.records]
    after = Sink(store, anew, rules)
    async with after.running() as resume:
        assert resume == anew.first
        (opened,) = after.events.of(EpochOpened)
        assert opened.epoch == 2
        # which numbers expired, the next record shows
        assert (await tally(store)).lost == ({} if cause == "expired" else {"log_lost": 5})
        anew.deliver(after, resume, len(anew.records))
        await anew.settled()
    whole = await tally(store)
    lost = {"expired" if cause == "expired" else "log_lost": 10}
    assert (whole.captured, whole.inspected, whole.lost) == (35, 25, lost)
    again = Sink(store, anew, rules)
    async with again.running() as resume:
        assert resume == len(anew.records)
    assert again.events.of(EpochOpened) == []


async def test_records_that_expire_under_a_running_account_end_the_process_which_then_says_so(
    store: Store, log: MemoryLog
) -> None:
    sink = Sink(store, log)
    async with sink.running():
        log.deliver(sink, 0, 30)
        await log.settled()
        with pytest.raises(FatalError, match="records 30 to 39 expired"):
            log.deliver(sink, 40, 50)


async def test_a_log_that_begins_anew_under_a_running_account_ends_the_process(store: Store, log: MemoryLog) -> None:
    sink = Sink(store, log)
    async with sink.running():
        log.deliver(sink, 0, 30)
        await log.settled()
        with pytest.raises(FatalError, match="another log"):
            log.deliver(sink, 0, 5)


async def test_an_unreadable_record_is_quarantined_with_the_batch_that_accounts_for_it(store: Store) -> None:
    log = MemoryLog().append(LOG[:5])
    log.append_raw(lambda offset: Record(HERE.topic, 0, offset, 0, b"press-1", b"\xff\x00", []))
    log.append_raw(lambda offset: Record(HERE.topic, 0, offset, 0, None, None, [("ce_type", b"andon.frame.v1")]))
    log.append(LOG[5:])
    sink = Sink(store, log)
    async with sink.running():
        log.deliver(sink, 0, len(log.records))
        await log.settled()
    assert [event.where for event in sink.events.of(RecordQuarantined)] == [f"{HERE.topic}/0@{n}" for n in (5, 6)]
    kept = [
        QuarantineOrder.model_validate_json(item.payload)
        for item in await store.waiting("quarantine", frozenset({0}), 9)
    ]
    assert [order.value for order in kept] == [b"\xff\x00", b""]
    assert [dict(order.headers)["andon_quarantine_offset"] for order in kept] == [b"5", b"6"]
    assert await outbox(store) == IDS
    assert (await store.positions([HERE]))[HERE].next_offset == len(log.records)


async def test_a_partition_that_is_taken_away_is_stored_first_and_no_longer_ours(store: Store, log: MemoryLog) -> None:
    sink = Sink(store, log)
    async with sink.running():
        log.deliver(sink, 0, len(LOG))
        await asyncio.wait_for(sink.opened.drain(), 60)
        assert len(log.done) == len(LOG)
        assert sink.outlets.owned == {0}, "what is in the outbox of a process that stops still leaves"
        sink.opened.discard()
    assert sink.outlets.owned == frozenset()


@dataclass
class Lock:
    """The store's `write` while another process locks the database."""

    store: Store
    attempt: asyncio.Event = field(default_factory=asyncio.Event)
    free: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self._genuine = self.store.write

    async def write(self, batches: Sequence[Batch]) -> frozenset[Partition]:
        self.attempt.set()
        await self.free.wait()
        return await self._genuine(batches)


async def test_what_a_cut_off_drain_leaves_is_stored_by_the_next_owner_with_every_event(
    store: Store, log: MemoryLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The states of the first owner are stepped, and its write is under way: nobody may step them again."""
    lock = Lock(store)
    sink = Sink(store, log)
    async with sink.running():
        monkeypatch.setattr(store, "write", lock.write)
        log.deliver(sink, 0, len(LOG))
        await asyncio.wait_for(lock.attempt.wait(), 60)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(sink.opened.drain(), 0)
        sink.opened.discard()
        monkeypatch.undo()
        again = await sink.open()
        assert (again.resume_at, log.done) == (0, [])
        lock.free.set()  # the first owner's write comes through after all, or is refused
        log.deliver(sink, 0, len(LOG))
        await asyncio.wait_for(again.drain(), 60)
    assert await outbox(store) == IDS
    whole = await tally(store)
    assert (whole.inspected, whole.redelivered) == (60, 0)


async def test_a_flush_that_is_cut_off_takes_its_accounts_with_it(
    store: Store, log: MemoryLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = Lock(store)
    monkeypatch.setattr(store, "write", lock.write)
    sink = Sink(store, log)
    async with sink.running():
        log.deliver(sink, 0, 10)
        await asyncio.wait_for(lock.attempt.wait(), 60)
    assert sink.opened.discarded
    assert (sink.outlets.owned, log.done) == (frozenset(), [])


async def test_a_batch_of_a_partition_that_is_gone_is_not_tried_again(
    store: Store, log: MemoryLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[int] = []

    async def locked(batches: Sequence[Batch]) -> frozenset[Partition]:
        tried.append(len(batches))
        if len(tried) == 1:
            sink.opened.discard()
            raise RetryableError("the store can't be used now: database is locked")
        return frozenset()

    monkeypatch.setattr(store, "write", locked)
    sink = Sink(store, log)
    async with sink.running():
        log.deliver(sink, 0, 10)
        async with asyncio.timeout(60):
            while len(tried) < 2:
                await asyncio.sleep(0)
    assert tried == [1, 0]


async def test_known_cameras_are_shown_as_soon_as_they_are_ours(store: Store, log: MemoryLog) -> None:
    first, second = Sink(store, log), Sink(store, log)
    async with first.running():
        log.deliver(first, 0, 30)
        await log.settled()
    async with second.running():
        assert second.outlets.snapshots["press-1"].captured == first.outlets.snapshots["press-1"].captured


async def test_a_record_of_a_session_long_over_is_known_again(store: Store) -> None:
    """Ledgers of past sessions leave memory. Their redelivered records must not begin a new session."""
    sessions = [[inspected(n, session=f"s{number:02}", late_s=number) for n in range(3)] for number in range(12)]
    log = MemoryLog().append([item for session in sessions for item in session] + sessions[0])
    sink = Sink(store, log)
    async with sink.running():
        log.deliver(sink, 0, 36)
        await log.settled()
        log.deliver(sink, 36, 39)
        await log.settled()
    assert sink.outlets.snapshots["press-1"].session == "s11"
    assert (await tally(store, "s00")).redelivered == 3
    assert sink.outlets.snapshots["press-1"].captured == 36
