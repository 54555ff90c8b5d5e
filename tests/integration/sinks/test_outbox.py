"""The outbox over real servers that come and go: everything leaves, in order, nothing twice."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from andon import redis as andon_redis
from andon.clock import SystemClock
from andon.events import AlertSent, SinkFailed
from sinks.channels.channel import SinkBroken
from sinks.channels.redis_stream import RedisAlerts
from sinks.outbox import Dispatcher
from sinks.outbox_queue import NamedChannel
from tests.fakes import RecordedEvents
from tests.outbox import MemoryOutbox, an_item
from tests.redis_server import MortalRedis, RedisWith, ask

pytestmark = pytest.mark.integration


@pytest.fixture
def mortal() -> Iterator[MortalRedis]:
    with MortalRedis() as server:
        yield server


async def test_alerts_sent_to_a_frozen_redis_arrive_later_in_order_and_each_once(mortal: MortalRedis) -> None:
    client, events, stop = andon_redis.client(mortal.url, 0.3), RecordedEvents(), asyncio.Event()
    items = [an_item(number, "redis") for number in range(1, 301)]
    store = MemoryOutbox(*items)
    dispatcher = Dispatcher(store, [NamedChannel("redis", RedisAlerts(client, mortal.settings))], SystemClock(), events)
    dispatcher.own(frozenset({0}))
    running = asyncio.create_task(dispatcher.run(stop))
    async with asyncio.timeout(60):
        while len(events.of(AlertSent)) < 50:
            await asyncio.sleep(0)
        mortal.freeze()  # an attempt may now have arrived whose answer never comes back
        while len(events.of(SinkFailed)) < 2:
            await asyncio.sleep(0.02)
        mortal.thaw()
        stop.set()
        await running
    entries = await ask(client, "XRANGE", "t:alerts", "-", "+")
    assert [fields[b"event_id"].decode() for _, fields in entries] == [item.event_id for item in items]
    assert store.items == []
    await client.aclose()


async def test_a_redis_that_was_killed_gets_the_waiting_alerts_when_it_is_back(mortal: MortalRedis) -> None:
    client, events, stop = andon_redis.client(mortal.url, 0.3), RecordedEvents(), asyncio.Event()
    store = MemoryOutbox(an_item(1, "redis"))
    dispatcher = Dispatcher(store, [NamedChannel("redis", RedisAlerts(client, mortal.settings))], SystemClock(), events)
    mortal.kill()
    dispatcher.own(frozenset({0}))
    running = asyncio.create_task(dispatcher.run(stop))
    async with asyncio.timeout(60):
        while not events.of(SinkFailed):
            await asyncio.sleep(0.02)
        mortal.start()
        stop.set()
        await running
    assert [event.event_id for event in events.of(AlertSent)] == [an_item(1).event_id]
    await client.aclose()


async def test_the_stream_is_capped_and_event_ids_expire(mortal: MortalRedis) -> None:
    client = andon_redis.client(mortal.url, 5.0)
    settings = mortal.settings.model_copy(update={"alerts_maxlen": 100, "dedup_hours": 1.0})
    channel = RedisAlerts(client, settings)
    for number in range(1, 1001):
        await channel.send(an_item(number))
    assert 100 <= await ask(client, "XLEN", "t:alerts") < 300  # Redis trims whole nodes of 100
    assert 3500 < await ask(client, "TTL", f"t:alert:{an_item(1).event_id}") <= 3600
    await client.aclose()


async def test_an_alert_that_redis_has_no_room_for_is_not_taken_for_sent(mortal: MortalRedis) -> None:
    client = andon_redis.client(mortal.url, 5.0)
    await ask(client, "SET", "t:alerts", "no stream")  # the append fails inside the script
    channel = RedisAlerts(client, mortal.settings)
    with pytest.raises(SinkBroken, match=r"refuses the write: .*WRONGTYPE"):
        await channel.send(an_item(1))
    await ask(client, "DEL", "t:alerts")
    await channel.send(an_item(1))
    assert await ask(client, "XLEN", "t:alerts") == 1
    await client.aclose()


async def test_a_redis_that_is_full_is_a_refusal_that_says_what_to_mend(mortal: MortalRedis) -> None:
    client = andon_redis.client(mortal.url, 5.0)
    await ask(client, "CONFIG", "SET", "maxmemory", "1")
    channel = RedisAlerts(client, mortal.settings)
    with pytest.raises(SinkBroken, match="has no memory left: raise its maxmemory"):
        await channel.send(an_item(1))
    await ask(client, "CONFIG", "SET", "maxmemory", "0")
    await channel.send(an_item(1))
    await client.aclose()


async def test_a_redis_cluster_is_refused_in_one_line(tmp_path: Path) -> None:
    with RedisWith("--cluster-enabled", "yes", folder=tmp_path) as node:
        client = andon_redis.client(node.url, 5.0)
        channel = RedisAlerts(client, node.settings)
        line = "is a node of a Redis Cluster, which is not supported; name a single server in redis.url"
        with pytest.raises(SinkBroken, match=line):
            await channel.send(an_item(1))  # nobody serves its slots
        await ask(client, "CLUSTER", "ADDSLOTSRANGE", 0, 16383)
        async with asyncio.timeout(60):
            while b"cluster_state:ok" not in await ask(client, "CLUSTER", "INFO"):
                await asyncio.sleep(0.02)
        with pytest.raises(SinkBroken, match=line):
            await channel.send(an_item(1))  # its two keys lie in different slots
        await client.aclose()
