"""Retention deletes old rows and changes no total; nothing that is open, unsent or still needed goes."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import Engine, Table, event, func, select, update

from andon.events import DefectChanged, SessionPruned
from andon.messages import Inspection, new_session
from andon.settings import KeepDays
from andon.stream.offsets import Partition
from sinks.audit import audit_of
from sinks.circumstances import Circumstances
from sinks.judgement.state import CameraAccount
from sinks.store import tables
from sinks.store.database import Database, opened
from sinks.store.retention import StoreRetention
from sinks.store.store import Store
from sinks.store.stored import Batch, Leaving, Opening, Position
from tests.fakes import START, FakeClock
from tests.integration.sinks.test_account import MemoryLog, Sink
from tests.unit.sinks.judgement.frames import Steps, crossing, inspected, shed

pytestmark = pytest.mark.integration
HERE = Partition("andon.inspections", 3)
KEEP = KeepDays(parts=1, defects=10, spans=10, sessions=10)
DAY_S = 86_400.0
LATER_S = 11 * DAY_S
FIRST = new_session(START)
SECOND = new_session(START + timedelta(minutes=1))


async def no_pause(_seconds: float) -> None:
    """The account waits for nothing here."""


class Line:
    """One camera's records, one batch after the other, and retention beside them."""

    def __init__(self, store: Store, database: Database, partition: Partition = HERE) -> None:
        self.store = store
        self.database = database
        self.partition = partition
        self.clock = FakeClock()
        self.account = CameraAccount("press-1")
        self.offset = 0
        self.retention = StoreRetention(database, KEEP, self.clock, no_pause)

    async def begin(self) -> "Line":
        await self.store.begin([Opening(self.partition, Position(1, "", 0), START, "the first")])
        return self

    async def take(self, messages: Sequence[Any], *, alerts: bool = False) -> Steps:
        """Step through these records and store what follows."""
        self.account.changed.clear()
        stepped = Steps(self.account).take(messages)
        end = self.offset + len(messages)
        leaving = [Leaving("redis", event.event_id, b"{}") for event in stepped.events] if alerts else []
        batch = Batch(
            self.partition,
            Position(1, "", self.offset),
            end,
            self.clock.now(),
            states=(self.account,),
            events=stepped.events,
            verdicts=stepped.verdicts,
            leaving=leaving,
            spans=stepped.spans,
        )
        assert await self.store.write([batch]) == frozenset()
        self.offset = end
        return stepped

    async def reload(self) -> None:
        """Another process takes the partition over."""
        self.account = (await self.store.load([self.partition]))[self.partition].cameras["press-1"]

    async def sessions(self) -> set[str]:
        query = select(tables.sessions.c.session)
        return set(await self.database.run(lambda connection: connection.execute(query).scalars().all()))

    async def rows(self, table: Table) -> int:
        query = select(func.count()).select_from(table)
        return int(await self.database.run(lambda connection: connection.execute(query).scalar_one()))

    async def report(self) -> dict[str, Any]:
        """`andon audit --json`, without the list of spans."""
        stored = await self.store.everything()
        report = audit_of(stored, Circumstances(self.clock.now(), 0, silence_s=1e9))
        return {key: value for key, value in report.as_json().items() if key in ("ledger", "cameras", "balanced")}

    async def silence_s(self) -> float:
        """The length of all stored spans and of those that were pruned."""
        stored = await self.store.everything()
        listed = sum((span.ended_at - span.started_at).total_seconds() for span in stored.spans if span.ended_at)
        return listed + sum(totals.seconds for totals in stored.pruned.values())


@pytest_asyncio.fixture
async def line(store: Store, store_url: str) -> AsyncIterator[Line]:
    database = await opened(store_url)
    yield await Line(store, database).begin()
    await database.close()


def frames(numbers: range, session: str) -> list[Inspection]:
    return [message.model_copy(update={"session": session}) for message in crossing(numbers)]


def quiet(numbers: range, session: str) -> list[Inspection]:
    return [inspected(seq, session=session) for seq in numbers]


async def two_sessions(line: Line) -> None:
    """A session with a defect, a gap, frames shed and frames missing; then one that is open."""
    await line.take([*frames(range(20), FIRST), shed(20, 22, FIRST), *quiet(range(25, 60), FIRST)], alerts=True)
    late = [inspected(seq, session=SECOND, late_s=60) for seq in range(5)]
    await line.take(late)


async def test_the_account_is_the_same_before_and_after(line: Line) -> None:
    await two_sessions(line)
    line.clock.advance(LATER_S)
    before, silence_s = await line.report(), await line.silence_s()
    assert before["ledger"]["lost"] == 2
    assert silence_s > 0
    counts = await line.retention.prune()
    assert (counts.sessions, counts.defects, counts.spans) == (1, 1, 1)
    assert await line.report() == before
    assert await line.silence_s() == pytest.approx(silence_s)


async def test_what_a_dry_run_counts_is_what_goes(line: Line) -> None:
    await two_sessions(line)
    line.clock.advance(LATER_S)
    counted = await line.retention.count()
    assert counted.rows > 0
    assert await line.sessions() == {FIRST, SECOND}
    assert await line.retention.prune() == counted
    assert (await line.retention.count()).rows == 0


async def test_nothing_goes_before_its_age(line: Line) -> None:
    await two_sessions(line)
    line.clock.advance(9 * DAY_S)
    assert (await line.retention.prune()).rows == 0


async def test_an_open_session_stays_however_old_it_is(line: Line) -> None:
    await two_sessions(line)
    line.clock.advance(10_000 * DAY_S)
    await line.retention.prune()
    assert await line.sessions() == {SECOND}
    await line.reload()
    await line.take(quiet(range(5, 9), SECOND))
    assert (await line.report())["balanced"]


async def test_an_open_defect_stays_and_a_closed_one_goes_with_its_events(line: Line) -> None:
    await line.take([*frames(range(20), FIRST), *quiet(range(20, 60), FIRST)])
    await line.take(frames(range(60, 80), FIRST))
    assert await line.rows(tables.defects) == 2
    line.clock.advance(LATER_S)
    counts = await line.retention.prune()
    assert (counts.defects, counts.defect_events > 0) == (1, True)
    assert await line.rows(tables.defects) == 1
    assert await line.rows(tables.defect_events) > 0


async def test_what_waits_in_the_outbox_stays(line: Line) -> None:
    await two_sessions(line)
    waiting = await line.rows(tables.outbox)
    assert waiting > 0
    line.clock.advance(10_000 * DAY_S)
    await line.retention.prune()
    assert await line.rows(tables.outbox) == waiting


@pytest.mark.parametrize("taken_over", [True, False], ids=["by another process", "by a process that remembers it"])
async def test_a_record_of_a_pruned_session_that_comes_again_changes_nothing(line: Line, taken_over: bool) -> None:
    await two_sessions(line)
    line.clock.advance(LATER_S)
    before = await line.report()
    await line.retention.prune()
    if taken_over:
        await line.reload()
        key = (3, "press-1", FIRST)
        line.account.sessions[FIRST] = (await line.store.ledgers([key]))[key]
    again = await line.take([*frames(range(20), FIRST), *quiet(range(25, 70), FIRST)])
    assert (again.events, again.spans) == ([], [])
    assert line.account.state.session == SECOND
    assert await line.report() == before
    assert await line.sessions() == {SECOND}


async def test_a_sink_that_meets_a_pruned_session_says_so_and_keeps_its_account(store: Store, line: Line) -> None:
    log = MemoryLog().append([*frames(range(20), FIRST), *quiet(range(5), SECOND)])
    sink = Sink(store, log)
    async with sink.running() as resume:
        log.deliver(sink, resume, 25)
        await log.settled()
    line.clock.advance(LATER_S)
    assert (await line.retention.prune()).sessions == 1
    before = await line.report()
    log.append(frames(range(30), FIRST))  # from the spool of a host that was off
    sink = Sink(store, log)
    async with sink.running() as resume:
        log.deliver(sink, resume, 55)
        await log.settled()
    assert sink.events.of(SessionPruned) == [SessionPruned("press-1", FIRST)]
    assert sink.events.of(DefectChanged) == []
    assert await line.report() == before


async def test_a_host_whose_clock_is_at_1970_begins_new_sessions(line: Line) -> None:
    await two_sessions(line)
    line.clock.advance(LATER_S)
    await line.retention.prune()
    old = new_session(datetime(1970, 1, 1, 0, 0, 7, tzinfo=START.tzinfo))
    assert await line.store.ledgers([(3, "press-1", old)]) == {}
    await line.take(quiet(range(4), old))
    line.clock.advance(LATER_S)
    await line.take(quiet(range(4), new_session(line.clock.now())))
    line.clock.advance(LATER_S)
    await line.retention.prune()
    assert old not in await line.sessions()
    assert await line.store.ledgers([(3, "press-1", new_session(datetime(1999, 1, 1, tzinfo=START.tzinfo)))]) == {}


async def test_two_that_prune_at_once_count_each_row_once(line: Line, store_url: str) -> None:
    for number in range(30):
        name = new_session(START + timedelta(minutes=number))
        await line.take([*frames(range(20), name), *quiet(range(20, 60), name)])
    line.clock.advance(LATER_S)
    before = await line.report()
    other = await opened(store_url)
    try:
        second = StoreRetention(other, KEEP, line.clock, no_pause)
        counts = await asyncio.gather(line.retention.prune(), second.prune())
    finally:
        await other.close()
    assert sum(count.sessions for count in counts) == 29
    assert sum(count.defects for count in counts) == 30
    assert await line.report() == before
    (totals,) = (await line.store.everything()).pruned.values()
    assert (totals.sessions, dict(totals.defects)) == (29, {"scratch": 30})


async def test_a_camera_that_moved_keeps_one_account(line: Line, store: Store) -> None:
    moved = await Line(store, line.database, Partition("andon.inspections", 4)).begin()
    await line.take(quiet(range(10), FIRST))
    await moved.take(quiet(range(10, 20), FIRST))
    for each in (line, moved):
        await each.take(quiet(range(3), SECOND))
        each.clock.advance(LATER_S)
    before = await line.report()
    counts = await line.retention.prune(frozenset({3}))
    assert counts.sessions == 1
    assert await line.report() == before
    assert (await store.ledgers([(4, "press-1", FIRST)])).keys() == {(4, "press-1", FIRST)}


async def test_a_sink_prunes_its_own_partitions_alone(line: Line) -> None:
    await two_sessions(line)
    line.clock.advance(LATER_S)
    assert (await line.retention.prune(frozenset({4}))).rows == 0


async def test_a_ledger_without_a_time_stays_as_its_other_half_does(line: Line, store: Store) -> None:
    """An earlier sink, which knows no such column, still runs beside this one."""
    moved = await Line(store, line.database, Partition("andon.inspections", 4)).begin()
    await line.take(quiet(range(10), FIRST))
    await moved.take(quiet(range(10, 20), FIRST))
    for each in (line, moved):
        await each.take(quiet(range(3), SECOND))
        each.clock.advance(LATER_S)
    no_time = update(tables.sessions).where(tables.sessions.c.partition == 4).values(changed_at=None)
    await line.database.run(lambda connection: connection.execute(no_time))
    assert (await line.retention.prune()).sessions == 0


async def test_the_account_gets_its_turn_after_each_transaction(line: Line) -> None:
    """SQLite lets a transaction that waits for the lock poll for it: without pauses it would find it taken."""
    pauses: list[float] = []
    transactions: list[object] = []

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    def began(_connection: object) -> None:
        transactions.append(None)

    await two_sessions(line)
    line.clock.advance(LATER_S)
    event.listen(Engine, "begin", began)
    try:
        retention = StoreRetention(line.database, KEEP, line.clock, pause)
        assert (await retention.count()).rows == (await retention.prune()).rows > 0
    finally:
        event.remove(Engine, "begin", began)
    assert len(pauses) == len(transactions) > 4
    assert min(pauses) > 0


async def test_old_epochs_of_a_log_go_and_the_current_one_stays(line: Line) -> None:
    await line.take(quiet(range(3), FIRST))
    for epoch in (2, 3):
        stood = Position(epoch - 1, "", line.offset if epoch == 2 else 0)
        await line.store.begin([Opening(HERE, Position(epoch, "", 0), line.clock.now(), "empty", (), stood)])
    line.clock.advance(LATER_S)
    assert (await line.retention.prune()).epochs == 2
    assert await line.rows(tables.epochs) == 1
