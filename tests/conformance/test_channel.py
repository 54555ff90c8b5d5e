"""Every alert channel passes this: in memory, of another package, on a Redis stream, on a Kafka topic."""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from andon import redis as andon_redis
from andon.alerts import DEFECTS, PARTS
from andon.alerts.stream import Entry
from andon.events import silent
from andon.messages import Defect, PartVerdict
from andon.settings import KafkaSettings, RedisSettings, Settings
from andon.stream.clients import consumer, producer, started
from andon.stream.publisher import KafkaPublisher
from andon.stream.topics import ensure_topics
from andon.wire import Record, decode
from deploy.local.broker import EmbeddedBroker
from sinks.channels.channel import Channel, SinkBusy
from sinks.channels.kafka_topic import KafkaAlerts
from sinks.channels.redis_stream import RedisAlerts
from sinks.channels.registry import registered
from sinks.outbox_item import OutboxItem
from tests import kafka_server
from tests.conftest import kafka_settings
from tests.fakes import START
from tests.lamp import Lamp, install
from tests.outbox import MemoryChannel, a_defect, a_part, a_part_item, an_item
from tests.redis_server import MortalRedis, ask

ReceivedEvents = list[tuple[str, Defect | PartVerdict | None]]
"""Event ids as a consumer sees them that knows each id once, and the events where the channel carries them."""


@dataclass
class Rig:
    channel: Channel
    received: Callable[[], Awaitable[ReceivedEvents]]
    go_away: Callable[[], None]


TYPES = {"redis": "redis", "kafka": "embedded", "lamp": "lamp"}
"""The registered types, and a kind below that stands for each."""
SERVERS = ("redis", "embedded", "apache")
KINDS = ["memory", "lamp", *(pytest.param(kind, marks=pytest.mark.integration) for kind in SERVERS)]


@pytest.fixture(params=KINDS)
async def rig(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Rig]:
    """A channel to a server that other tests use, too."""
    match request.param:
        case "memory":
            yield _memory()
        case "lamp":
            yield _lamp(tmp_path)
        case "redis":
            async with _redis(request.getfixturevalue("valkey"), _stays) as rig:
                yield rig
        case kind:
            servers = request.getfixturevalue(f"{kind}_broker" if kind == "embedded" else f"{kind}_kafka")
            async with _kafka(kafka_settings(servers, embedded=kind == "embedded"), _stays) as rig:
                yield rig


@pytest.fixture(params=KINDS)
async def mortal_rig(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Rig]:
    """A channel to a server of its own, which can go away."""
    match request.param:
        case "memory":
            yield _memory()
        case "lamp":
            yield _lamp(tmp_path)
        case "redis":
            with MortalRedis() as redis:
                async with _redis(redis.settings, redis.kill) as rig:
                    yield rig
        case "embedded":
            with EmbeddedBroker(tmp_path) as broker:
                kafka = kafka_settings(broker.bootstrap_servers, embedded=True)
                async with _kafka(kafka, broker.__exit__) as rig:
                    yield rig
        case _:
            if reason := kafka_server.missing():
                pytest.skip(reason)
            with kafka_server.KafkaServer(tmp_path / "kafka") as server:
                kafka = kafka_settings(server.bootstrap_servers, embedded=False)
                async with _kafka(kafka, lambda: server.stop(signal.SIGKILL)) as rig:
                    yield rig
                    server.stop()
                    server.start()  # the idempotent producer does not stop before it has delivered


def _stays() -> None:
    raise AssertionError("others use this server")


def _memory() -> Rig:
    channel = MemoryChannel()

    async def received() -> ReceivedEvents:
        return [(event_id, None) for event_id in channel.received]

    def go_away() -> None:
        channel.away = True

    return Rig(channel, received, go_away)


def _lamp(folder: Path) -> Rig:
    file = folder / "hall-2" / "lamp.txt"
    file.parent.mkdir()

    async def received() -> ReceivedEvents:
        return [(line, None) for line in file.read_text().splitlines()] if file.exists() else []

    def go_away() -> None:
        file.unlink()
        file.parent.rmdir()

    return Rig(Lamp(file), received, go_away)


@asynccontextmanager
async def _redis(settings: RedisSettings, go_away: Callable[[], None]) -> AsyncIterator[Rig]:
    client = andon_redis.client(settings.url.get_secret_value(), settings.timeout_s)

    async def received() -> ReceivedEvents:
        alerts: list[Entry] = await ask(client, "XRANGE", f"{settings.prefix}:alerts", "-", "+")
        parts: list[Entry] = await ask(client, "XRANGE", f"{settings.prefix}:parts", "-", "+")
        defects: ReceivedEvents = [(defect.event_id, defect) for defect in map(DEFECTS.read, alerts)]
        return defects + [(part.event_id, part) for part in map(PARTS.read, parts)]

    try:
        yield Rig(RedisAlerts(client, settings), received, go_away)
    finally:
        await client.aclose()


@asynccontextmanager
async def _kafka(settings: KafkaSettings, go_away: Callable[[], None]) -> AsyncIterator[Rig]:
    settings = settings.model_copy(update={"partitions": 1})
    await ensure_topics(Settings(kafka=settings), silent)
    settings = settings.model_copy(update={"request_timeout_s": 2.0})
    async with started(lambda: producer(settings), settings, silent) as client:
        channel = KafkaAlerts(KafkaPublisher(client), settings.defects_topic, timeout_s=5.0)
        yield Rig(channel, lambda: _distinct(settings), go_away)


async def _distinct(settings: KafkaSettings) -> ReceivedEvents:
    """The topic's events, as a consumer reads them that passes over a `ce_id` it has seen."""
    events: dict[str, Defect | PartVerdict] = {}
    async with started(lambda: consumer(settings, None), settings, silent) as client:
        client.subscribe([settings.defects_topic])
        while batch := await client.getmany(timeout_ms=1500):
            for raw in (raw for records in batch.values() for raw in records):
                record = Record(raw.topic, raw.partition, raw.offset, raw.timestamp, raw.key, raw.value, raw.headers)
                event = decode(record)
                assert isinstance(event, Defect | PartVerdict)
                assert raw.key == event.camera_id.encode()
                events.setdefault(dict(raw.headers)["ce_id"].decode(), event)
    return list(events.items())


def test_every_registered_type_is_held_to_this(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    assert registered().keys() == TYPES.keys()
    assert {*TYPES.values()} <= {"lamp", *SERVERS}


async def test_events_arrive_in_the_order_in_which_they_were_sent(rig: Rig) -> None:
    sent = [a_defect(number, evidence=None, part_id=f"Teil {number} ß") for number in range(1, 21)]
    for number, defect in enumerate(sent):
        await rig.channel.send(an_item(number, defect=defect))
    received = await rig.received()
    assert [event_id for event_id, _ in received] == [defect.event_id for defect in sent]
    assert all(defect in (None, sent[number]) for number, (_, defect) in enumerate(received))


async def test_an_event_that_is_sent_again_has_no_further_effect(rig: Rig) -> None:
    first, second = an_item(1), an_item(2)
    for item in (first, second, replace(first, attempts=1), second):
        await rig.channel.send(item)
    assert [event_id for event_id, _ in await rig.received()] == [first.event_id, second.event_id]


async def test_the_steps_of_one_defect_are_different_events(rig: Rig) -> None:
    steps = [a_defect(1, transition=transition) for transition in ("opened", "updated", "closed")]
    for number, defect in enumerate(steps):
        await rig.channel.send(an_item(number, defect=defect))
    assert [event_id for event_id, _ in await rig.received()] == [defect.event_id for defect in steps]


async def test_verdicts_on_parts_travel_with_the_defects_each_once_and_in_order(rig: Rig) -> None:
    parts = [a_part(number, verdict) for number, verdict in enumerate(("pass", "reject", "unknown"), start=1)]
    for number, part in enumerate(parts):
        await rig.channel.send(an_item(10 + number))
        for _ in range(2):
            await rig.channel.send(a_part_item(number, part))
    received = dict(await rig.received())
    assert len(received) == 6
    assert [event_id for event_id in received if event_id.endswith("/verdict")] == [part.event_id for part in parts]
    assert all(received[part.event_id] in (None, part) for part in parts)


async def test_an_alert_of_a_traced_frame_carries_its_context(rig: Rig) -> None:
    traced = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    one, part, other = replace(an_item(1), traceparent=traced), replace(a_part_item(2), traceparent=traced), an_item(3)
    for item in (one, part, other):
        await rig.channel.send(item)
    contexts = {event_id: event.traceparent for event_id, event in await rig.received() if event is not None}
    assert contexts in ({}, {one.event_id: traced, part.event_id: traced, other.event_id: None})


async def test_two_senders_of_the_same_event_at_a_time_have_the_effect_of_one(rig: Rig) -> None:
    await asyncio.gather(*(rig.channel.send(an_item(number % 3)) for number in range(30)))
    assert sorted(event_id for event_id, _ in await rig.received()) == sorted(an_item(n).event_id for n in range(3))


async def test_a_payload_that_is_no_event_is_refused_as_poison(rig: Rig) -> None:
    with pytest.raises(Exception, match="no Defect") as error:
        await rig.channel.send(OutboxItem(1, "alerts", 0, "e", b"\xff{", START, 0))
    assert type(error.value).__name__ == "DecodeError"
    assert await rig.received() == []


async def test_a_target_that_is_away_keeps_the_item_for_later_within_bounded_time(mortal_rig: Rig) -> None:
    await mortal_rig.channel.send(an_item(1))
    mortal_rig.go_away()
    async with asyncio.timeout(60):
        with pytest.raises(SinkBusy) as busy:
            await mortal_rig.channel.send(an_item(2))
    assert "\n" not in str(busy.value)
