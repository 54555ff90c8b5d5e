import pytest

from andon.events import silent
from andon.settings import KafkaSettings, Settings
from andon.stream.clients import admin, started
from andon.stream.topics import ensure_topics, partitions_of

pytestmark = pytest.mark.integration


async def test_every_topic_that_processes_share_has_the_partitions_of_the_settings(broker: KafkaSettings) -> None:
    await ensure_topics(Settings(kafka=broker), silent)
    async with started(lambda: admin(broker), broker, silent) as client:
        counts = {
            topic: len(await partitions_of(client, topic))
            for topic in (broker.frames_topic, broker.inspections_topic, broker.defects_topic, broker.cameras_topic)
        }
    assert set(counts.values()) == {broker.partitions}
