"""The SQL store is locked by another process, or restarted in the middle of the work."""

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from andon.settings import KafkaSettings, RedisSettings
from sinks.store.database import LOCK_S
from tests import postgres_server
from tests.faults.conftest import ReportRecovery
from tests.faults.recording import Encoding
from tests.faults.sinks.plant import plant
from tests.postgres_server import PASSWORD, PostgresServer

DOWN_S = 5.0


async def test_sqlite_locked_for_longer_than_its_timeout(
    kafka: KafkaSettings, valkey: RedisSettings, tmp_path: Path, report_recovery: ReportRecovery, encoding: Encoding
) -> None:
    async with plant(tmp_path, kafka, valkey, rounds=3, encoding=encoding) as here:
        feed = here.feed
        await feed.publish([0])
        await here.wait_for_alerts(feed.expected([0]))
        with closing(sqlite3.connect(tmp_path / "andon.db", isolation_level=None)) as other:
            other.execute("begin immediate")
            await feed.publish([1])
            await here.until(lambda: "database is locked" in here.log, LOCK_S + 30, "the sink to say so")
            await asyncio.sleep(2)
            assert sorted(here.listener.alerts.elements()) == feed.expected([0])
            other.execute("rollback")
        report_recovery(await here.wait_for_alerts(feed.expected([0, 1])), "the alerts of the time of the lock")
        await feed.publish([2])
        await here.nothing_lost_nothing_twice(feed.expected(range(3)))


@pytest.fixture
def postgres() -> Iterator[PostgresServer]:
    if reason := postgres_server.missing():
        pytest.skip(reason)
    with PostgresServer() as server:
        yield server


async def test_postgresql_restarted_under_load(
    kafka: KafkaSettings,
    valkey: RedisSettings,
    postgres: PostgresServer,
    tmp_path: Path,
    report_recovery: ReportRecovery,
    encoding: Encoding,
) -> None:
    rounds = 12
    async with plant(tmp_path, kafka, valkey, rounds, encoding, store=postgres.url) as here:
        feed = here.feed
        load = asyncio.create_task(spread_out(feed.publish, rounds))
        await here.wait_for_alerts(feed.expected([0, 1]))
        await asyncio.to_thread(postgres.stop)
        before = len(here.listener.alerts)
        await here.until(lambda: "the store can't be used now" in here.log, 30, "the sink to say so")
        await asyncio.sleep(DOWN_S)
        await asyncio.to_thread(postgres.start)
        seconds = await here.until(lambda: len(here.listener.alerts) > before + 2, 60, "alerts")
        report_recovery(seconds, "alerts, after PostgreSQL took connections again")
        await load
        await here.nothing_lost_nothing_twice(feed.expected(range(rounds)))
        assert PASSWORD not in here.log


async def spread_out(publish: object, rounds: int) -> None:
    """A round of 120 records a second."""
    for number in range(rounds):
        await publish([number])  # type: ignore[operator]  # Feed.publish
        await asyncio.sleep(1)
