"""Where a log begins and ends, asked of real brokers."""

import pytest

from andon.errors import RetryableError
from andon.events import silent
from andon.kafka import KafkaPublisher, consumer, ensure_topics, producer, started
from andon.offsets import Partition
from andon.settings import KafkaSettings, Settings
from andon.wire import encode
from sinks.log_ends import KafkaLogEnds
from tests.unit.sinks.frames import inspected

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
