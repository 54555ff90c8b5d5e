"""Where a log begins and ends, asked of real brokers."""

import pytest

from andon.errors import RetryableError
from andon.events import silent
from andon.messages import RecordRef
from andon.settings import KafkaSettings, Settings
from andon.stream.clients import consumer, producer, started
from andon.stream.offsets import Partition
from andon.stream.publisher import KafkaPublisher
from andon.stream.reading import KafkaLogEnds, RecordReader
from andon.stream.topics import ensure_topics
from andon.wire import encode
from tests.unit.sinks.judgement.frames import inspected

pytestmark = pytest.mark.integration


async def test_the_ends_are_those_of_the_broker(broker: KafkaSettings) -> None:
    topic = broker.inspections_topic
    await ensure_topics(Settings(kafka=broker), silent)
    async with (
        started(lambda: producer(broker), broker, silent) as sending,
        started(lambda: consumer(broker, None), broker, silent) as asking,
    ):
        publisher = KafkaPublisher(sending)
        refs = [await (await publisher.send(topic, encode(inspected(seq)))) for seq in range(3)]
        full, empty = refs[0].partition, (refs[0].partition + 1) % broker.partitions
        ends = await KafkaLogEnds(asking).read([Partition(topic, full), Partition(topic, empty)])
    assert ends == {Partition(topic, full): (0, 3), Partition(topic, empty): (0, 0)}


async def test_a_broker_without_the_partition_can_be_asked_again(broker: KafkaSettings) -> None:
    quick = broker.model_copy(update={"request_timeout_s": 1.0})
    async with started(lambda: consumer(quick, None), quick, silent) as asking:
        with pytest.raises(RetryableError, match="log's ends"):
            await KafkaLogEnds(asking).read([Partition("never-made", 7)])


async def test_a_log_ends_behind_the_last_record_of_its_last_batch(broker: KafkaSettings) -> None:
    await ensure_topics(Settings(kafka=broker), silent)
    topic = broker.inspections_topic
    here = Partition(topic, 1)
    async with (
        started(lambda: producer(broker), broker, silent) as sender,
        started(lambda: consumer(broker, None), broker, silent) as client,
        started(lambda: consumer(broker, None), broker, silent) as other,
    ):
        ends, reader = KafkaLogEnds(client), RecordReader(other)
        for end in (5, 10):
            sent = [await sender.client.send(topic, b"x", partition=1) for _ in range(5)]
            refs = [await one for one in sent]
            assert await ends.read([here]) == {here: (0, end)}
            last = await reader.read(RecordRef(topic=topic, partition=1, offset=refs[-1].offset))
            assert last is not None
            assert last.offset == end - 1
            assert await reader.read(RecordRef(topic=topic, partition=1, offset=end)) is None
