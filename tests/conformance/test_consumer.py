"""What a stage needs of a consumer holds for the one in memory, on the embedded broker and on Apache Kafka."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import pytest

from andon.events import silent
from andon.settings import KafkaSettings, Settings
from andon.stream.clients import consumer, producer, started
from andon.stream.consumer import Consumer, KafkaConsumer
from andon.stream.offsets import Partition
from andon.stream.topics import ensure_topics, topic_there
from andon.wire import Record
from tests.conftest import kafka_settings
from tests.fakes import MemoryConsumer, MemoryLog

JOINED_S = READ_S = 60.0


@dataclass
class Rig:
    topic: str
    consumer: Consumer
    append: Callable[[int, bytes], Awaitable[None]]
    committed: Callable[[int], Awaitable[int | None]]
    timed: bool = True
    """Records have the time at which the broker appended them."""


class Reader:
    """An Owner that reads what it is given from its beginning, unless it `holds` that."""

    def __init__(self, consumer: Consumer, *, holds: bool = False) -> None:
        self.assigned: set[Partition] = set()
        self._consumer = consumer
        self._holds = holds

    async def give_up(self, partitions: frozenset[Partition]) -> None:
        self.assigned -= partitions

    async def take_over(self, partitions: frozenset[Partition]) -> None:
        self.assigned |= partitions
        for partition in partitions if not self._holds else ():
            self._consumer.read_from(partition, 0)


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
        member = KafkaConsumer(real)
        await topic_there(real, topic, kafka, silent)

        async def append(partition: int, value: bytes) -> None:
            await sender.client.send_and_wait(topic, value, partition=partition)

        async def committed(partition: int) -> int | None:
            return (await member.committed([Partition(topic, partition)])).get(Partition(topic, partition))

        yield Rig(topic, member, append, committed, timed=kafka.idempotent)


async def joined(rig: Rig, *, holds: bool = False) -> Reader:
    reader = Reader(rig.consumer, holds=holds)
    rig.consumer.subscribe([rig.topic], reader)
    async with asyncio.timeout(JOINED_S):
        while not reader.assigned:  # at first perhaps none: the topic is new
            await rig.consumer.poll([], timeout_ms=50)
    return reader


async def polled(rig: Rig, count: int, partition: int, at_once: int | None = None) -> list[Record]:
    taken: list[Record] = []
    async with asyncio.timeout(READ_S):
        while len(taken) < count:
            batches = await rig.consumer.poll([Partition(rig.topic, partition)], timeout_ms=50, max_records=at_once)
            taken += [record for records in batches.values() for record in records]
    return taken


async def test_a_lone_member_is_assigned_every_partition(rig: Rig) -> None:
    reader = await joined(rig)
    assert reader.assigned == {Partition(rig.topic, number) for number in range(4)}


async def test_records_come_in_order_and_no_more_than_asked_for(rig: Rig) -> None:
    await joined(rig)
    for value in (b"a", b"b", b"c"):
        await rig.append(1, value)
    one = await polled(rig, 1, 1, at_once=1)
    rest = await polled(rig, 2, 1, at_once=2)
    assert [record.value for record in [*one, *rest]] == [b"a", b"b", b"c"]
    assert [record.offset for record in [*one, *rest]] == [0, 1, 2]


async def test_polling_nowhere_takes_nothing_and_loses_nothing(rig: Rig) -> None:
    await joined(rig)
    await rig.append(0, b"a")
    for _ in range(5):
        assert not await rig.consumer.poll([], timeout_ms=20)
    assert [record.value for record in await polled(rig, 1, 0)] == [b"a"]


async def test_a_partition_that_is_not_asked_for_waits(rig: Rig) -> None:
    await joined(rig)
    await rig.append(0, b"a")
    await rig.append(1, b"b")
    assert [record.value for record in await polled(rig, 1, 1)] == [b"b"]
    assert [record.value for record in await polled(rig, 1, 0)] == [b"a"]


async def test_a_commit_is_kept_and_reading_begins_again_at_the_given_offset(rig: Rig) -> None:
    await joined(rig)
    for value in (b"a", b"b", b"c"):
        await rig.append(2, value)
    await polled(rig, 3, 2)
    await rig.consumer.commit({Partition(rig.topic, 2): 2})
    assert await rig.committed(2) == 2
    rig.consumer.read_from(Partition(rig.topic, 2), 1)
    assert [record.value for record in await polled(rig, 2, 2)] == [b"b", b"c"]


async def test_the_high_watermark_is_the_end_of_the_partition(rig: Rig) -> None:
    await joined(rig)
    await rig.append(3, b"a")
    await rig.append(3, b"b")
    await polled(rig, 2, 3)
    assert rig.consumer.highwater(Partition(rig.topic, 3)) == 2


async def test_a_reader_stands_behind_what_it_was_given_and_the_broker_has_answered_it(rig: Rig) -> None:
    here = Partition(rig.topic, 3)
    await joined(rig)
    await rig.append(3, b"a")
    await rig.append(3, b"b")
    await polled(rig, 2, 3)
    assert rig.consumer.position(here) == 2
    assert rig.consumer.answered_ms(here)
    rig.consumer.read_from(here, 1)
    assert rig.consumer.position(here) == 1


async def test_nothing_is_known_of_a_partition_that_is_not_ours(rig: Rig) -> None:
    await joined(rig)
    elsewhere = Partition(rig.topic, 99)
    assert (rig.consumer.position(elsewhere), rig.consumer.answered_ms(elsewhere)) == (None, None)


async def test_the_end_of_a_partition_that_is_not_ours_is_unknown(rig: Rig) -> None:
    await joined(rig)
    assert rig.consumer.highwater(Partition(rig.topic, 99)) is None


async def test_what_is_assigned_waits_until_it_is_read_from(rig: Rig) -> None:
    await joined(rig, holds=True)
    here = Partition(rig.topic, 0)
    for value in (b"a", b"b", b"c"):
        await rig.append(0, value)
    for _ in range(5):
        assert not await rig.consumer.poll([here], timeout_ms=20)
    rig.consumer.read_from(here, 1)
    assert [record.value for record in await polled(rig, 2, 0)] == [b"b", b"c"]


async def test_a_partition_without_a_committed_offset_is_left_out(rig: Rig) -> None:
    await joined(rig)
    one, other = Partition(rig.topic, 0), Partition(rig.topic, 1)
    await rig.append(0, b"a")
    await rig.consumer.commit({one: 1})
    assert await rig.consumer.committed([one, other]) == {one: 1}
    assert await rig.consumer.committed([]) == {}


async def test_a_log_from_which_nothing_expired_begins_at_zero(rig: Rig) -> None:
    await joined(rig)
    await rig.append(1, b"a")
    assert await rig.consumer.beginning_offsets([Partition(rig.topic, 1)]) == {Partition(rig.topic, 1): 0}


async def test_a_position_beyond_the_end_leads_back_to_the_first_record(rig: Rig) -> None:
    if not rig.timed:
        pytest.skip("the embedded broker waits there until its log has grown")
    await joined(rig)
    for value in (b"a", b"b"):
        await rig.append(1, value)
    await polled(rig, 2, 1)
    rig.consumer.read_from(Partition(rig.topic, 1), 9)
    assert [record.value for record in await polled(rig, 2, 1)] == [b"a", b"b"]


async def test_the_log_holds_what_was_read_from_it_and_finds_it_by_its_time(rig: Rig) -> None:
    await joined(rig)
    here = Partition(rig.topic, 1)
    for value in (b"a", b"b"):
        await rig.append(1, value)
    last = (await polled(rig, 2, 1))[-1]
    assert await rig.consumer.holds(here, last.offset, last.timestamp_ms)
    assert await rig.consumer.offset_since(here, 0) == 0
    if rig.timed:
        assert await rig.consumer.offset_since(here, last.timestamp_ms) <= last.offset
        assert await rig.consumer.offset_since(here, last.timestamp_ms + 1) == last.offset + 1
        assert not await rig.consumer.holds(here, last.offset, last.timestamp_ms + 1)
        assert not await rig.consumer.holds(here, last.offset, last.timestamp_ms - 1)


async def test_a_connection_that_goes_on_is_the_same_object(rig: Rig) -> None:
    await joined(rig)
    await rig.append(1, b"a")
    await polled(rig, 1, 1)
    before = rig.consumer.connection(Partition(rig.topic, 1))
    await rig.append(1, b"b")
    await polled(rig, 1, 1)
    assert before is not None
    assert rig.consumer.connection(Partition(rig.topic, 1)) is before
