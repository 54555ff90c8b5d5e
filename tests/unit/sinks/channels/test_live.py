"""The live state holds a bounded number of inspections in memory, and to leave it one never waits for Redis."""

from andon import redis as andon_redis
from andon.settings import RedisSettings
from sinks.channels.live import LiveLimits, RedisLive
from tests.fakes import FakeClock, RecordedEvents
from tests.integration.sinks.test_live import a_snapshot, an_inspection


async def test_states_and_inspections_wait_in_memory_within_their_bounds() -> None:
    client = andon_redis.client("redis://127.0.0.1:1/0", 0.1)  # never connected to
    live = RedisLive(client, RedisSettings(), FakeClock(), RecordedEvents(), LiveLimits(waiting_inspections=5))
    live.own(frozenset({0}))
    for captured in range(2, 50):
        await live.show(0, [a_snapshot(captured=captured)], [an_inspection(captured)])
    assert live.waiting == (1, 5)
    assert live.left_out == 43
    await client.aclose()


async def test_a_state_that_waits_for_redis_is_forgotten_when_its_partition_goes() -> None:
    client = andon_redis.client("redis://127.0.0.1:1/0", 0.1)  # never connected to
    live = RedisLive(client, RedisSettings(), FakeClock(), RecordedEvents())
    live.own(frozenset({0, 1}))
    await live.show(0, [a_snapshot("press-1")], [])
    await live.show(1, [a_snapshot("press-2")], [])
    live.own(frozenset({1}))
    await live.show(0, [a_snapshot("press-1")], [])
    assert live.waiting == (1, 0)
    await client.aclose()
