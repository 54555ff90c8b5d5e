"""A member with a name restarts without a rebalance: on Apache Kafka; the embedded broker is asked what it does."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from andon.events import silent
from andon.settings import KafkaSettings, Settings
from andon.stream import clients
from andon.stream.clients import consumer, started
from andon.stream.consumer import KafkaConsumer
from andon.stream.offsets import Partition
from andon.stream.topics import ensure_topics
from tests.conftest import kafka_settings

pytestmark = pytest.mark.integration


class Owner:
    def __init__(self) -> None:
        self.assigned: frozenset[Partition] = frozenset()
        self.revocations = 0
        self.decided = asyncio.Event()

    async def take_over(self, partitions: frozenset[Partition]) -> None:
        self.assigned = partitions
        self.decided.set()

    async def give_up(self, partitions: frozenset[Partition]) -> None:
        self.revocations += bool(partitions)


@asynccontextmanager
async def member(kafka: KafkaSettings, name: str) -> AsyncIterator[Owner]:
    """Polls as a stage does, until it is left."""
    named = kafka.model_copy(update={"member": name})
    owner = Owner()
    async with started(lambda: consumer(named, named.group_prefix), named, silent) as client:
        reading = KafkaConsumer(client)
        reading.subscribe([named.frames_topic], owner)
        polling = asyncio.create_task(_poll(reading), name=f"poll.{name}")
        try:
            yield owner
        finally:
            polling.cancel()
            await asyncio.gather(polling, return_exceptions=True)


async def _poll(reading: KafkaConsumer) -> None:
    while True:
        await reading.poll([])
        await asyncio.sleep(0.05)


async def test_a_member_that_came_before_its_topic_gets_its_partitions_when_it_is_made(
    apache_kafka: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clients, "METADATA_AGE_S", 0.5)
    kafka = kafka_settings(apache_kafka, embedded=False)
    async with member(kafka, "early") as early, asyncio.timeout(60):
        await early.decided.wait()
        assert not early.assigned
        await ensure_topics(Settings(kafka=kafka), silent)
        while len(early.assigned) < 4:
            await asyncio.sleep(0.05)


async def shared_out(*owners: Owner) -> None:
    """Until each partition has one owner, and each owner some."""
    async with asyncio.timeout(90):
        while sorted(len(owner.assigned) for owner in owners) != [2, 2]:
            await asyncio.sleep(0.05)


async def test_a_named_member_that_restarts_gets_its_partitions_again_and_no_other_member_notices(
    apache_kafka: str,
) -> None:
    kafka = kafka_settings(apache_kafka, embedded=False)
    kafka = kafka.model_copy(update={"session_timeout_s": 60.0})  # a busy machine puts no member out
    await ensure_topics(Settings(kafka=kafka), silent)
    async with member(kafka, "one") as one:
        async with member(kafka, "other") as other:
            await shared_out(one, other)
            before, revocations = (one.assigned, other.assigned), one.revocations
        async with member(kafka, "other") as again:
            await shared_out(one, again)
            assert (one.assigned, again.assigned) == before
            assert one.revocations == revocations
