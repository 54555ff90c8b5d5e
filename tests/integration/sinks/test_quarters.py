"""The sums of quarters are what the store holds, whatever is delivered again, in old stores and in new ones."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest
from alembic import command
from sqlalchemy import Connection, delete, func, insert, select

from andon.settings import KeepDays
from andon.stream.offsets import Partition
from sinks.judgement.quarters import FrameCounts, QuarterFrames, counts_of, quarter_of
from sinks.judgement.state import Totals
from sinks.store import database as databases
from sinks.store import tables
from sinks.store.database import opened
from sinks.store.retention import StoreRetention
from sinks.store.store import Store
from sinks.store.stored import Batch, Opening, Position
from tests.fakes import START, FakeClock
from tests.integration.sinks.test_account import PARTS, RULES, MemoryLog, Sink
from tests.outbox import a_defect, a_part
from tests.unit.sinks.judgement.belt import part_rules
from tests.unit.sinks.judgement.frames import Steps, crossing

pytestmark = pytest.mark.integration
HERE = Partition("andon.inspections", 0)
QUARTER = quarter_of(START)
NAMES = ("inspected", "unfit", "shed", "quarantined", "lost", "passed", "rejected", "unknown", "defects")


def sums(connection: Connection) -> dict[tuple[str, int], dict[str, int]]:
    """By camera and quarter, without the zeros."""
    rows = connection.execute(select(tables.quarters)).mappings()
    return {(row["camera_id"], row["quarter"]): {name: row[name] for name in NAMES if row[name]} for row in rows}


def classes(connection: Connection) -> dict[tuple[str, str, int], tuple[int, int]]:
    """(rejects, defects) by camera, class and quarter."""
    table = tables.quarter_classes
    rows = connection.execute(select(table))
    return {(row.camera_id, row.label, row.quarter): (row.rejects, row.defects) for row in rows}


def counted(connection: Connection) -> Mapping[str, int]:
    """What the rows themselves add up to."""
    parts = connection.execute(select(tables.parts.c.verdict, func.count()).group_by(tables.parts.c.verdict))
    defects = connection.execute(select(func.count()).select_from(tables.defects)).scalar_one()
    return {**{row.verdict: row[1] for row in parts}, "defects": defects}


@pytest.mark.parametrize("stride", [3, 100])
async def test_sums_are_the_rows_and_the_totals_whatever_is_delivered_again(store: Store, stride: int) -> None:
    log = MemoryLog().append([*PARTS, *PARTS[:9], *PARTS])
    rules, done = replace(RULES, judgement=part_rules(), batch_records=stride), 0
    while done < len(log.records):
        sink = Sink(store, log, rules)
        async with sink.running() as resume:
            end = min(resume + stride, len(log.records))
            log.deliver(sink, max(0, resume - 4), end)  # the group's committed offset lags behind
            await log.settled()
            done = end
    found = await store._database.run(sums)
    account = (await store.load([HERE]))[HERE].cameras["press-1"]
    whole = {name: sum(item.get(name, 0) for item in found.values()) for name in NAMES}
    assert FrameCounts(*(whole[name] for name in NAMES[:5])) == counts_of(account.state.totals)
    rows = await store._database.run(counted)
    assert (whole["passed"], whole["rejected"], whole["unknown"]) == (rows["pass"], rows["reject"], rows["unknown"])
    assert whole["defects"] == rows["defects"] == 1
    assert list((await store._database.run(classes)).values()) == [(1, 1)]


async def test_a_verdict_or_a_defect_that_comes_again_in_another_epoch_counts_once(store: Store) -> None:
    later = START + timedelta(minutes=15)
    verdicts = (a_part(1, "reject"), a_part(2), a_part(3, at=later), a_part(4, "unknown"))
    events = (a_defect(1), a_defect(1, transition="closed"), a_defect(2, label="dent", opened_at=later))
    for epoch in (1, 2, 3):
        before = None if epoch == 1 else Position(epoch - 1, "", 1)
        await store.begin([Opening(HERE, Position(epoch, "", 0), START, "another log", expected=before)])
        batch = Batch(HERE, Position(epoch, "", 0), 1, START, events=events, verdicts=verdicts)
        assert await store.write([batch]) == frozenset()
    assert await store._database.run(sums) == {
        ("press-3", QUARTER): {"passed": 1, "rejected": 1, "unknown": 1, "defects": 1},
        ("press-3", QUARTER + 1): {"passed": 1, "defects": 1},
    }
    assert await store._database.run(classes) == {
        ("press-3", "scratch", QUARTER): (1, 1),
        ("press-3", "dent", QUARTER + 1): (0, 1),
    }


async def test_a_refused_batch_counts_nothing_and_one_beside_it_counts(store: Store) -> None:
    other = Partition("andon.inspections", 4)
    begin = Position(1, "", 0)
    await store.begin([Opening(item, begin, START, "the first") for item in (HERE, other)])
    zombies = Batch(HERE, Position(1, "", 7), 9, START, verdicts=(a_part(1),))
    ours = Batch(other, begin, 1, START, verdicts=(a_part(2, camera="press-4"),))
    assert await store.write([zombies, ours]) == {HERE}
    assert await store._database.run(sums) == {("press-4", QUARTER): {"passed": 1}}


async def test_frames_that_go_with_a_log_are_lost_in_the_quarter_in_which_that_was_found(store: Store) -> None:
    lost = QuarterFrames("press-1", QUARTER, FrameCounts(0, 0, 0, 0, 3))
    opening = Opening(HERE, Position(1, "", 0), START, "empty", frames=(lost,))
    await store.begin([opening])
    await store.begin([opening])  # another sink was faster
    assert await store._database.run(sums) == {("press-1", QUARTER): {"lost": 3}}


async def test_an_older_store_gets_the_sums_of_its_rows(store_url: str) -> None:
    database = await opened(store_url)
    store = Store(database)
    await store.begin([Opening(HERE, Position(1, "", 0), START, "the first")])
    later = START + timedelta(minutes=40)
    verdicts = (a_part(1, "reject"), a_part(2, "reject"), a_part(3, at=later), a_part(4, "unknown"))
    events = (a_defect(1, part_id="p"), a_defect(2, label='de"nt', opened_at=later))
    await store.write([Batch(HERE, Position(1, "", 0), 1, START, events=events, verdicts=verdicts)])
    before = await database.run(lambda connection: (sums(connection), classes(connection)))

    def back(connection: Connection) -> None:
        config = databases._migrations()
        config.attributes["connection"] = connection
        command.downgrade(config, "0005")

    await database.run(back)
    await database.close()
    database = await opened(store_url)
    assert await database.run(lambda connection: (sums(connection), classes(connection))) == before
    parts = select(tables.defects.c.part_id).order_by(tables.defects.c.defect_id)
    assert await database.run(lambda connection: connection.execute(parts).scalars().all()) == ["p", None]
    await database.close()


async def test_old_sums_and_labels_are_pruned_and_young_ones_stay(store_url: str) -> None:
    database = await opened(store_url)
    store, clock = Store(database), FakeClock()
    await store.begin([Opening(HERE, Position(1, "", 0), START, "the first")])
    camera = Steps().take(crossing(range(2))).camera
    young = START + timedelta(days=9)
    verdicts = (a_part(1, "reject", "press-1"), a_part(2, "reject", "press-1", at=young))
    await store.write([Batch(HERE, Position(1, "", 0), 1, START, states=(camera,), verdicts=verdicts)])
    label = {"defect_id": "d", "camera_id": "press-1", "kind": "real", "author": "kim"}
    rows = [{**label, "at": START}, {**label, "at": young}]
    await database.run(lambda connection: connection.execute(insert(tables.labels), rows))
    clock.advance(10 * 86_400.0)
    keep = KeepDays(quarters=5, labels=5, sessions=400)
    retention = StoreRetention(database, keep, clock, lambda _seconds: _nothing())
    foreseen = await retention.count()
    counts = await retention.prune()
    assert counts == foreseen
    assert (counts.quarters, counts.quarter_classes, counts.labels) == (1, 1, 1)
    assert list(await database.run(sums)) == [("press-1", quarter_of(young))]
    await database.run(lambda connection: connection.execute(delete(tables.labels)))
    await database.close()


async def _nothing() -> None:
    return None


def test_frames_that_were_unfit_for_a_verdict_are_no_inspection() -> None:
    totals = Totals(captured=10, inspected=7, shed=1, quarantined=1, lost=1, passed=4, failed=1, unknown=4)
    assert counts_of(totals) == FrameCounts(inspected=7, unfit=2, shed=1, quarantined=1, lost=1)
