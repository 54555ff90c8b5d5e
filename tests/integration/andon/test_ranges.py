"""Records of one camera are read back between two offsets, from real brokers."""

from collections.abc import AsyncIterator, Sequence

import pytest
import pytest_asyncio
from aiokafka import TopicPartition
from aiokafka.admin.records_to_delete import RecordsToDelete

from andon.errors import PoisonError, RetryableError
from andon.events import silent
from andon.settings import KafkaSettings, Settings
from andon.stream.clients import admin, consumer, producer, started
from andon.stream.offsets import Partition
from andon.stream.ranges import RangeLimits, RangeReader
from andon.stream.topics import ensure_topics
from andon.wire import Record

pytestmark = pytest.mark.integration
COUNT = 12
"""Records in the partition: of two cameras in turn, so that each has every second offset."""


@pytest_asyncio.fixture
async def here(broker: KafkaSettings) -> Partition:
    await ensure_topics(Settings(kafka=broker), silent)
    async with started(lambda: producer(broker), broker, silent) as sender:
        for begin in (0, COUNT // 2):  # two batches
            numbers = range(begin, begin + COUNT // 2)
            sent = [await sender.client.send(broker.frames_topic, *content(number), 1) for number in numbers]
            for one in sent:
                await one
    return Partition(broker.frames_topic, 1)


def content(number: int) -> tuple[bytes, bytes]:
    """(value, key)"""
    return bytes(100 + number), b"even" if number % 2 == 0 else b"odd"


@pytest_asyncio.fixture
async def reader(broker: KafkaSettings) -> AsyncIterator[RangeReader]:
    async with started(lambda: consumer(broker, None), broker, silent) as client:
        yield RangeReader(client, RangeLimits(kept_bytes=1_500, read_bytes=1_200))


def offsets(records: Sequence[Record]) -> list[int]:
    return [record.offset for record in records]


async def test_a_range_has_one_cameras_records_as_far_as_the_log_has_them(here: Partition, reader: RangeReader) -> None:
    assert offsets(await reader.read_range(here, 2, 7, b"even")) == [2, 4, 6]
    assert offsets(await reader.read_range(here, 3, 3, b"odd")) == [3]
    assert offsets(await reader.read_range(here, 7, None, b"odd")) == [7, 9, 11]
    assert offsets(await reader.read_range(here, 7, 500, b"odd")) == [7, 9, 11]
    assert offsets(await reader.read_range(here, 5, 2, b"odd")) == []
    assert offsets(await reader.read_range(here, COUNT, None, b"odd")) == []
    (record,) = await reader.read_range(here, 10, 10, b"even")
    assert (record.key, len(record.value or b"")) == (b"even", 110)


async def test_a_range_ends_at_the_record_that_is_enough(here: Partition, reader: RangeReader) -> None:
    found = await reader.read_range(here, 0, None, b"even", lambda record: record.offset >= 4)
    assert offsets(found) == [0, 2, 4]


async def test_a_range_with_too_many_bytes_is_refused_in_one_line(here: Partition, reader: RangeReader) -> None:
    with pytest.raises(PoisonError, match=r"offsets 0 to 11 hold 636 bytes of the camera and 1266 of all") as error:
        await reader.read_range(here, 0, 11, b"odd")
    assert error.value.reason == "too_large"
    assert offsets(await reader.read_range(here, 0, 1, b"odd")) == [1], "the reader goes on"


async def test_a_range_of_a_topic_that_is_not_there_can_be_asked_for_again(broker: KafkaSettings) -> None:
    quick = broker.model_copy(update={"request_timeout_s": 1.0})
    async with started(lambda: consumer(quick, None), quick, silent) as client:
        with pytest.raises(RetryableError):
            await RangeReader(client, RangeLimits(timeout_s=3.0)).read_range(Partition("never-made", 7), 0, 1, b"odd")


async def test_a_range_that_begins_before_the_log_begins_with_it(
    here: Partition, reader: RangeReader, broker: KafkaSettings
) -> None:
    if not broker.idempotent:
        pytest.skip("the embedded broker deletes no records")
    async with started(lambda: admin(broker), broker, silent) as client:
        await client.delete_records({TopicPartition(*here): RecordsToDelete(before_offset=5)})
    assert offsets(await reader.read_range(here, 0, 8, b"odd")) == [5, 7]
    assert offsets(await reader.read_range(here, 0, 4, b"odd")) == []
