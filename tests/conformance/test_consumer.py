"""What a stage needs of a consumer holds for the one in memory, on the embedded broker and on Apache Kafka."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any

import pytest
from aiokafka import ConsumerRebalanceListener

from andon.events import silent
from andon.settings import KafkaSettings, Settings
from andon.stream.clients import consumer, producer, started
from andon.stream.offsets import Partition
from andon.stream.stage import NOWHERE
from andon.stream.step import Consumer
from andon.stream.topics import ensure_topics
from tests.conftest import kafka_settings
from tests.fakes import MemoryConsumer, MemoryLog


@dataclass
class Rig:
    topic: str
    consumer: Consumer
    append: Callable[[int, bytes], Awaitable[None]]
    committed: Callable[[int], Awaitable[int | None]]


class Seen(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka is untyped
    def __init__(self) -> None:
        self.assigned: set[Partition] = set()
        self.joined = asyncio.Event()

    async def on_partitions_revoked(self, revoked: Iterable[Any]) -> None:
        self.assigned -= set(revoked)

    async def on_partitions_assigned(self, assigned: Iterable[Any]) -> None:
        self.assigned |= set(assigned)
        self.joined.set()


@pytest.fixture(params=["memory", pytest.param("embedded", marks=pytest.mark.integration), "apache"])
async def rig(request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
    if request.param == "memory":
        yield memory_rig()
        return
    embedded = request.param == "embedded"
    servers = request.getfixturevalue("embedded_broker" if embedded else "apache_kafka")
    kafka = kafka_settings(servers, embedded=embedded)
    async for real in kafka_rig(kafka):
        yield real


def memory_rig() -> Rig:
    log = MemoryLog("t", 4)

    async def append(partition: int, value: bytes) -> None:
        log.append(partition, value)

    async def committed(partition: int) -> int | None:
        return log.committed("g").get(Partition("t", partition))

    return Rig("t", MemoryConsumer(log, "g"), append, committed)


async def kafka_rig(kafka: KafkaSettings) -> AsyncIterator[Rig]:
    await ensure_topics(Settings(kafka=kafka), silent)
    topic = kafka.frames_topic
    async with (
        started(lambda: producer(kafka), kafka, silent) as sender,
        started(lambda: consumer(kafka, kafka.group_prefix), kafka, silent) as real,
    ):

        async def append(partition: int, value: bytes) -> None:
            await sender.send_and_wait(topic, value, partition=partition)

        async def committed(partition: int) -> int | None:
            offset: int | None = await real.committed(Partition(topic, partition))
            return offset

        yield Rig(topic, real, append, committed)


async def joined(rig: Rig) -> Seen:
    seen = Seen()
    rig.consumer.subscribe([rig.topic], listener=seen)
    async with asyncio.timeout(20):
        while not seen.joined.is_set():
            await rig.consumer.getmany(timeout_ms=50)
    return seen


async def polled(rig: Rig, count: int, *partitions: Partition, at_once: int | None = None) -> list[Any]:
    taken: list[Any] = []
    async with asyncio.timeout(20):
        while len(taken) < count:
            batches = await rig.consumer.getmany(*partitions, timeout_ms=50, max_records=at_once)
            taken += [record for records in batches.values() for record in records]
    return taken


async def test_a_lone_member_is_assigned_every_partition(rig: Rig) -> None:
    seen = await joined(rig)
    assert seen.assigned == {Partition(rig.topic, number) for number in range(4)}


async def test_records_come_in_order_and_no_more_than_asked_for(rig: Rig) -> None:
    await joined(rig)
    for value in (b"a", b"b", b"c"):
        await rig.append(1, value)
    one = await polled(rig, 1, Partition(rig.topic, 1), at_once=1)
    rest = await polled(rig, 2, Partition(rig.topic, 1), at_once=2)
    assert [record.value for record in [*one, *rest]] == [b"a", b"b", b"c"]
    assert [record.offset for record in [*one, *rest]] == [0, 1, 2]


async def test_polling_nowhere_takes_nothing_and_loses_nothing(rig: Rig) -> None:
    await joined(rig)
    await rig.append(0, b"a")
    for _ in range(5):
        assert not await rig.consumer.getmany(NOWHERE, timeout_ms=20)
    assert [record.value for record in await polled(rig, 1, Partition(rig.topic, 0))] == [b"a"]


async def test_a_partition_that_is_not_asked_for_waits(rig: Rig) -> None:
    await joined(rig)
    await rig.append(0, b"a")
    await rig.append(1, b"b")
    assert [record.value for record in await polled(rig, 1, Partition(rig.topic, 1))] == [b"b"]
    assert [record.value for record in await polled(rig, 1, Partition(rig.topic, 0))] == [b"a"]


async def test_a_commit_is_kept_and_a_seek_is_followed(rig: Rig) -> None:
    await joined(rig)
    for value in (b"a", b"b", b"c"):
        await rig.append(2, value)
    await polled(rig, 3, Partition(rig.topic, 2))
    await rig.consumer.commit({Partition(rig.topic, 2): 2})
    assert await rig.committed(2) == 2
    rig.consumer.seek(Partition(rig.topic, 2), 1)
    assert [record.value for record in await polled(rig, 2, Partition(rig.topic, 2))] == [b"b", b"c"]


async def test_the_high_watermark_is_the_end_of_the_partition(rig: Rig) -> None:
    await joined(rig)
    await rig.append(3, b"a")
    await rig.append(3, b"b")
    await polled(rig, 2, Partition(rig.topic, 3))
    assert rig.consumer.highwater(Partition(rig.topic, 3)) == 2


async def test_the_end_of_a_partition_that_is_not_ours_is_refused(rig: Rig) -> None:
    await joined(rig)
    with pytest.raises(AssertionError):
        rig.consumer.highwater(Partition(rig.topic, 99))


async def test_a_log_from_which_nothing_expired_begins_at_zero(rig: Rig) -> None:
    await joined(rig)
    await rig.append(1, b"a")
    assert await rig.consumer.beginning_offsets([Partition(rig.topic, 1)]) == {Partition(rig.topic, 1): 0}
