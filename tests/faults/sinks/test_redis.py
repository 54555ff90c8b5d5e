"""Redis goes away for a while and comes back with nothing in it."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis

from andon.settings import KafkaSettings
from tests.faults.conftest import ReportRecovery
from tests.faults.recording import Encoding
from tests.faults.sinks.plant import plant
from tests.redis_server import MortalRedis

AWAY_S = 60.0


@pytest.fixture
def mortal() -> Iterator[MortalRedis]:
    with MortalRedis() as server:
        yield server


async def test_redis_away_and_back_empty(
    kafka: KafkaSettings, mortal: MortalRedis, tmp_path: Path, report_recovery: ReportRecovery, encoding: Encoding
) -> None:
    async with plant(tmp_path, kafka, mortal.settings, rounds=3, encoding=encoding) as here:
        feed = here.feed
        await feed.publish([0])
        await here.wait_for_alerts(feed.expected([0]))
        mortal.kill()
        await feed.publish([1], cameras=["press-1"])  # press-2 has no news, and is to be shown again all the same
        await here.accounted(180)
        await asyncio.sleep(AWAY_S)
        assert here.log.count("event=sink.failed") > 1
        await asyncio.to_thread(mortal.start)
        seconds = await here.wait_for_alerts(sorted({*feed.expected([0, 1], ["press-1"]), *feed.expected([0])}))
        report_recovery(seconds, "the alerts of the time without Redis")
        seconds = await here.until(lambda: shown(mortal) == {"press-1": 120, "press-2": 60}, 30, "the live state")
        report_recovery(seconds, "the live state of each camera, after the alerts")
        await feed.publish([1], cameras=["press-2"])
        await feed.publish([2])
        await here.nothing_lost_nothing_twice(feed.expected(range(3)))
        await here.until(lambda: shown(mortal) == {"press-1": 180, "press-2": 180}, 30, "the live state")


def shown(server: MortalRedis) -> dict[str, int]:
    """Inspected frames by camera, as Redis has them."""
    with Redis.from_url(server.url, protocol=2) as redis:
        names = [bytes(name).decode() for name in redis.smembers("t:cameras")]
        return {name: int(redis.hget(f"t:camera:{name}", "inspected") or 0) for name in names}
