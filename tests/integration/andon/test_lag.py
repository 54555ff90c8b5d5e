"""Lag and topics on real brokers."""

from datetime import timedelta

import pytest
from aiokafka import TopicPartition

from andon.clock import SystemClock
from andon.errors import FatalError
from andon.events import silent
from andon.settings import KafkaSettings, Settings
from andon.stream.clients import consumer, producer, started
from andon.stream.lag import group_lag
from andon.stream.topics import ensure_topics
from tests.fakes import FakeClock
from tests.kafka_server import free_port

pytestmark = pytest.mark.integration


async def test_lag_counts_the_uncommitted_records(broker: KafkaSettings) -> None:
    await ensure_topics(Settings(kafka=broker), silent)
    topic = broker.frames_topic
    async with started(lambda: producer(broker), broker, silent) as sender:
        for _ in range(5):
            await sender.client.send_and_wait(topic, b"x", partition=1)
    async with started(lambda: consumer(broker, "g"), broker, silent) as member:
        member.subscribe([topic])
        while not member.assignment():
            await member.getmany(timeout_ms=50)
        await member.commit({TopicPartition(topic, 1): 2})
    in_an_hour = FakeClock(SystemClock().now() + timedelta(hours=1))
    lags = await group_lag(broker, "g", topic, clock=in_an_hour)
    assert lags is not None
    assert [(lag.partition, lag.records) for lag in lags] == [(0, 0), (1, 3), (2, 0), (3, 0)]
    assert lags[1].seconds == pytest.approx(3600, abs=60)
    assert lags[0].seconds == 0


async def test_a_group_that_never_committed_is_behind_by_everything(broker: KafkaSettings) -> None:
    await ensure_topics(Settings(kafka=broker), silent)
    async with started(lambda: producer(broker), broker, silent) as sender:
        await sender.client.send_and_wait(broker.frames_topic, b"x", partition=0)
    lags = await group_lag(broker, "nobody", broker.frames_topic)
    assert lags is not None
    assert sum(lag.records for lag in lags) == 1


async def test_a_missing_topic_and_an_absent_broker_have_no_lag(broker: KafkaSettings) -> None:
    assert await group_lag(broker, "g", "no.such.topic") is None
    away = broker.model_copy(update={"bootstrap_servers": f"127.0.0.1:{free_port()}"})
    assert await group_lag(away, "g", broker.frames_topic, timeout_s=0.5) is None


async def test_topics_are_created_once(broker: KafkaSettings) -> None:
    settings = Settings(kafka=broker)
    assert len(await ensure_topics(settings, silent)) == 6
    assert await ensure_topics(settings, silent) == []


async def test_a_broker_that_is_away_is_one_line_with_its_address() -> None:
    kafka = KafkaSettings(bootstrap_servers=f"127.0.0.1:{free_port()}", start_timeout_s=0.5)
    with pytest.raises(FatalError, match=f"no Kafka at {kafka.bootstrap_servers} after 0 s"):
        await ensure_topics(Settings(kafka=kafka), silent)


async def test_a_topic_that_the_broker_refuses_is_one_line_with_the_reason(apache_kafka: str) -> None:
    kafka = KafkaSettings(bootstrap_servers=apache_kafka, replication=3, frames_topic="refused.frames")
    with pytest.raises(FatalError, match=r"topic '.*' can't be created at .*[Rr]eplication"):
        await ensure_topics(Settings(kafka=kafka), silent)
