"""The store on SQLite and on PostgreSQL: a batch wholly or not at all, and never a zombie's."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, text

from andon.errors import ConfigError, FatalError, RetryableError
from andon.stream.offsets import Partition
from sinks.judgement.state import CameraAccount
from sinks.outbox_item import OutboxItem
from sinks.store import tables
from sinks.store.database import Database, opened, sqlite_file
from sinks.store.store import Store
from sinks.store.stored import Batch, Leaving, Opening, Position
from tests.fakes import START
from tests.postgres_server import PASSWORD, PostgresServer
from tests.unit.sinks.judgement.frames import Steps, crossing, inspected

pytestmark = pytest.mark.integration
HERE = Partition("andon.inspections", 3)
BEGIN = Position(1, "", 0)


def opening(
    position: Position = BEGIN,
    detail: str = "the first",
    states: Sequence[CameraAccount] = (),
    expected: Position | None = None,
    partition: Partition = HERE,
) -> Opening:
    return Opening(partition, position, START, detail, states, expected)


async def stand(store: Store, partition: Partition = HERE) -> Position | None:
    return (await store.positions([partition])).get(partition)


async def cameras(store: Store) -> dict[str, CameraAccount]:
    return (await store.load([HERE]))[HERE].cameras


def a_batch(first: int = 0, last: int = 10) -> Batch:
    """The account after records `first` to `last` - 1, each at the offset of its number."""
    consequences = Steps().take(crossing(range(last)))
    leaving = [Leaving("redis", event.event_id, event.model_dump_json().encode()) for event in consequences.events]
    return Batch(
        HERE,
        replace(BEGIN, next_offset=first),
        last,
        START,
        states=(consequences.camera,),
        events=consequences.events,
        leaving=leaving,
        spans=consequences.spans,
    )


async def waiting(store: Store, channel: str = "redis") -> list[OutboxItem]:
    return list(await store.waiting(channel, frozenset({3}), 100))


async def test_nothing_is_known_of_a_new_partition(store: Store) -> None:
    assert await stand(store) is None
    assert await cameras(store) == {}
    assert (await store.everything()).ledgers == {}


async def test_what_a_batch_holds_is_read_back(store: Store) -> None:
    await store.begin([opening()])
    batch = a_batch()
    assert await store.write([batch]) == frozenset()
    assert await stand(store) == Position(1, "", 10)
    state = (await cameras(store))["press-1"]
    assert state.state == batch.states[0].state
    assert state.sessions["s1"].tally() == batch.states[0].sessions["s1"].tally()
    (item,) = await waiting(store)
    assert (item.event_id, item.partition, item.created_at) == ("press-1/s1/0/scratch-1/opened", 3, START)
    assert (await store.ledgers([(3, "press-1", "s1"), (3, "press-1", "s9")])).keys() == {(3, "press-1", "s1")}


async def test_a_batch_that_begins_elsewhere_is_refused_and_changes_nothing(store: Store) -> None:
    await store.begin([opening()])
    await store.write([a_batch()])
    before = await store.everything()
    for late in (a_batch(0, 12), replace(a_batch(10, 12), expected=Position(2, "", 10))):
        assert await store.write([late]) == {HERE}
    after = await store.everything()
    assert after.states == before.states
    assert await stand(store) == Position(1, "", 10)
    assert len(await waiting(store)) == 1


async def test_one_refused_batch_does_not_hold_up_the_others(store: Store) -> None:
    other = Partition("andon.inspections", 4)
    await store.begin([opening(), opening(partition=other)])
    zombies = replace(a_batch(), expected=replace(BEGIN, next_offset=7))
    assert await store.write([zombies, Batch(other, BEGIN, 5, START)]) == {HERE}
    assert await stand(store, other) == Position(1, "", 5)
    assert await stand(store) == BEGIN


async def test_what_is_in_the_outbox_already_is_not_put_there_again(store: Store) -> None:
    await store.begin([opening()])
    await store.write([a_batch()])
    await store.write([a_batch(10, 11)])
    assert len(await waiting(store)) == 1


async def test_the_outbox_gives_in_order_counts_attempts_and_forgets_what_was_sent(store: Store) -> None:
    await store.begin([opening()])
    leaving = [Leaving(channel, f"e{n}", b"{}") for n in range(5) for channel in ("redis", "kafka")]
    await store.write([Batch(HERE, BEGIN, 1, START, leaving=leaving)])
    items = await waiting(store)
    assert [item.event_id for item in items] == ["e0", "e1", "e2", "e3", "e4"]
    await store.failed([items[0].id])
    await store.sent([items[1].id, items[2].id])
    assert [(item.event_id, item.attempts) for item in await waiting(store)] == [("e0", 1), ("e3", 0), ("e4", 0)]
    assert await store.waiting("redis", frozenset({4}), 100) == []
    assert await store.depth(frozenset({3})) == {"kafka": (5, START), "redis": (3, START)}
    assert await store.depth(frozenset()) == {}


async def test_old_items_of_other_channels_are_given_up_in_these_partitions_alone(store: Store) -> None:
    await store.begin([opening()])
    early = [Leaving(channel, f"e{n}", b"{}") for n in range(3) for channel in ("redis", "belt", "lamp")]
    late = [Leaving("belt", "e9", b"{}")]
    await store.write([Batch(HERE, BEGIN, 1, START, leaving=early)])
    await store.write([Batch(HERE, replace(BEGIN, next_offset=1), 2, START + timedelta(seconds=9), leaving=late)])
    before, known = START + timedelta(seconds=5), frozenset({"redis", "lamp"})
    assert await store.give_up_others(known, frozenset({4}), before) == {}
    assert await store.give_up_others(known, frozenset({3}), before) == {"belt": 3}
    assert await store.give_up_others(known, frozenset({3}), before) == {}
    assert {name: count for name, (count, _) in (await store.depth(frozenset({3}))).items()} == {
        "belt": 1,
        "lamp": 3,
        "redis": 3,
    }


async def test_an_epoch_is_opened_once(store: Store) -> None:
    await store.begin([opening()])
    await store.write([a_batch()])
    anew = Position(2, "another", 0)
    stood = Position(1, "", 10)
    await store.begin([opening(anew, "the broker came back empty", expected=stood)])
    await store.write([Batch(HERE, anew, 4, START)])
    await store.begin([opening(anew, "said by a second sink at the same time", expected=stood)])
    assert await stand(store) == Position(2, "another", 4)


@pytest.mark.parametrize("expected", [None, BEGIN, Position(1, "", 9), Position(1, "another", 10)])
async def test_no_epoch_is_opened_where_the_account_stands_elsewhere(store: Store, expected: Position | None) -> None:
    await store.begin([opening()])
    await store.write([a_batch()])
    before = await store.everything()
    stale = Steps().take(crossing(range(5)))
    await store.begin([opening(Position(2, "", 0), "decided before the batch", (stale.camera,), expected)])
    assert await stand(store) == Position(1, "", 10)
    assert (await store.everything()).states == before.states


async def test_opening_an_epoch_stores_what_it_changes_in_the_cameras(store: Store) -> None:
    await store.begin([opening()])
    consequences = Steps().take(crossing(range(5)))
    await store.begin([opening(Position(2, "", 0), "empty", (consequences.camera,), BEGIN)])
    assert (await cameras(store)).keys() == {"press-1"}


async def test_the_account_of_a_camera_that_moved_is_one(store: Store) -> None:
    other = Partition("andon.inspections", 4)
    await store.begin([opening(), opening(partition=other)])
    moved = Steps().take([inspected(seq) for seq in range(10, 15)])
    await store.write([a_batch(), Batch(other, BEGIN, 5, START, states=(moved.camera,))])
    tally = (await store.everything()).ledgers["press-1", "s1"].tally()
    assert (tally.inspected, tally.lost) == (15, {})


async def test_migrations_from_nothing_and_again_make_the_tables_of_the_code(store_url: str) -> None:
    for _ in range(2):
        database = await opened(store_url)
        assert await database.run(_differences) == []
        version = await database.run(lambda c: c.execute(text("select version_num from alembic_version")).scalar_one())
        await database.close()
        assert version == "0008"


def _differences(connection: Connection) -> list[object]:
    return list(compare_metadata(MigrationContext.configure(connection), tables.metadata))


async def test_two_sinks_may_make_the_tables_at_once(store_url: str) -> None:
    stores = await asyncio.gather(*(Store.open(store_url) for _ in range(3)))
    for store in stores:
        assert await stand(store) is None
        await store.close()


async def test_a_newer_schema_is_reported_in_one_line_without_the_password(store_url: str) -> None:
    database = await opened(store_url)
    await database.run(lambda connection: connection.execute(text("update alembic_version set version_num = '9999'")))
    await database.close()
    with pytest.raises(ConfigError, match="newer Andon") as error:
        await opened(store_url)
    assert PASSWORD not in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql+psycopg://andon:half@{PASSWORD}@127.0.0.1:1/andon",
        f"mysql://andon:{PASSWORD}@127.0.0.1/andon",
        f"not a url {PASSWORD}",
        f"nosuch+driver://andon:{PASSWORD}@127.0.0.1/andon",
        "sqlite:////proc/nowhere/andon.db",
    ],
)
async def test_a_store_that_cannot_be_opened_is_reported_in_one_line_without_the_password(url: str) -> None:
    with pytest.raises(ConfigError, match=r"sinks\.store") as error:
        await opened(url)
    assert PASSWORD not in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql+psycopg://andon:{PASSWORD}@127.0.0.1:1/andon",
        f"postgresql+psycopg://127.0.0.1:1/andon?user=andon&password={PASSWORD}",
    ],
)
async def test_a_server_that_is_away_at_the_start_is_no_mistake_in_the_settings(url: str) -> None:
    with pytest.raises(FatalError, match=r"sinks\.store: .*Connection refused") as error:
        await opened(url)
    assert not isinstance(error.value, ConfigError)
    assert PASSWORD not in str(error.value)


async def test_a_database_that_is_locked_at_the_start_is_no_mistake_in_the_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sinks.store.database.LOCK_S", 0.05)
    with closing(sqlite3.connect(tmp_path / "andon.db", isolation_level=None)) as other:
        other.execute("begin immediate")
        with pytest.raises(FatalError, match="locked") as error:
            await opened(f"sqlite:///{tmp_path}/andon.db")
    assert not isinstance(error.value, ConfigError)


async def test_a_wrong_password_is_reported(postgres: PostgresServer) -> None:
    with pytest.raises(ConfigError, match="password authentication failed") as error:
        await opened(postgres.url.replace(PASSWORD, "wr0ng"))
    assert "wr0ng" not in str(error.value)


@pytest_asyncio.fixture
async def impatient_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Database]:
    monkeypatch.setattr("sinks.store.database.LOCK_S", 0.05)
    database = await opened(f"sqlite:///{tmp_path}/andon.db")
    yield database
    await database.close()


async def test_a_locked_database_can_be_tried_again(impatient_database: Database, tmp_path: Path) -> None:
    store = Store(impatient_database)
    await store.begin([opening()])
    with sqlite3.connect(tmp_path / "andon.db") as other:
        other.execute("begin immediate")
        with pytest.raises(RetryableError, match="locked"):
            await store.write([a_batch()])
        other.rollback()
    other.close()
    assert await store.write([a_batch()]) == frozenset()


async def test_a_postgres_that_was_restarted_can_be_used_again(postgres: PostgresServer) -> None:
    store = await Store.open(postgres.url)
    await store.begin([opening()])
    await asyncio.to_thread(postgres.stop)
    with pytest.raises(RetryableError) as error:
        await store.write([a_batch()])
    assert PASSWORD not in str(error.value)
    await asyncio.to_thread(postgres.start)
    assert await store.write([a_batch()]) == frozenset()
    await store.close()


async def test_a_moment_keeps_its_time_zone(store: Store) -> None:
    await store.begin([opening()])
    consequences = Steps().take([inspected(0), inspected(1, late_s=10), inspected(2, late_s=10)])
    await store.write([Batch(HERE, BEGIN, 1, START, spans=consequences.spans)])
    (span,) = (await store.everything()).spans
    assert span == consequences.spans[0]
    assert span.started_at.utcoffset() == timedelta(0)


def test_the_file_of_a_url_is_known() -> None:
    assert sqlite_file("sqlite:///andon-data/andon.db") == Path("andon-data/andon.db")
    assert sqlite_file("sqlite://") is None
    assert sqlite_file("postgresql://host/name") is None
