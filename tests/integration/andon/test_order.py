"""Records lie in the log in the order of sending, even if the broker was away for long."""

import asyncio
import os
import signal
from collections.abc import Awaitable
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from andon.clock import SystemClock
from andon.events import silent
from andon.messages import CameraStatus, RecordRef
from andon.settings import KafkaSettings, Settings
from andon.stream.clients import consumer, producer, started
from andon.stream.publisher import KafkaPublisher
from andon.stream.topics import ensure_topics
from andon.wire import Record, decode, encode
from deploy.local.broker import EmbeddedBroker
from tests.conftest import kafka_settings

pytestmark = pytest.mark.integration
REQUEST_S = 1.0
AWAY_S = 3.0
SENT = 20


def status(number: int) -> CameraStatus:
    return CameraStatus(camera_id="c", session="s", state="online", captured=number, at=SystemClock().now())


async def test_records_keep_their_order_when_the_broker_is_away_for_longer_than_a_request(tmp_path: Path) -> None:
    with EmbeddedBroker(tmp_path) as server:
        settings = kafka_settings(server.bootstrap_servers, embedded=True)
        kafka = settings.model_copy(update={"request_timeout_s": REQUEST_S, "partitions": 1})
        await ensure_topics(Settings(kafka=kafka), silent)
        async with started(lambda: producer(kafka), kafka, silent) as client:
            publisher = KafkaPublisher(client)
            await (await publisher.send(kafka.frames_topic, encode(status(0))))
            os.kill(server.pid, signal.SIGSTOP)
            try:
                acknowledged = await _spread(publisher, kafka.frames_topic)
            finally:
                os.kill(server.pid, signal.SIGCONT)
            async with asyncio.timeout(60):
                refs = await asyncio.gather(*acknowledged)
        numbers = await _numbers(kafka, refs[-1].offset + 1)
    assert list(dict.fromkeys(numbers)) == list(range(SENT + 1)), "records may be repeated, but in order"


async def _spread(publisher: KafkaPublisher, topic: str) -> list[Awaitable[RecordRef]]:
    """Records that are sent while the broker is away: several batches of different ages."""
    acknowledged: list[Awaitable[RecordRef]] = []
    for number in range(1, SENT + 1):
        acknowledged.append(asyncio.ensure_future(await publisher.send(topic, encode(status(number)))))
        await asyncio.sleep(AWAY_S / SENT)
    return acknowledged


async def _numbers(kafka: KafkaSettings, count: int) -> list[int]:
    here = TopicPartition(kafka.frames_topic, 0)
    async with started(lambda: consumer(kafka, None), kafka, silent) as client:
        client.assign([here])
        client.seek(here, 0)
        return [await _captured(client) for _ in range(count)]


async def _captured(client: AIOKafkaConsumer) -> int:
    raw = await client.getone()
    message = decode(Record(raw.topic, raw.partition, raw.offset, raw.timestamp, raw.key, raw.value, raw.headers))
    assert isinstance(message, CameraStatus)
    return message.captured
