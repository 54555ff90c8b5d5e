import pytest

from andon.events import silent
from andon.settings import KafkaSettings, Settings
from andon.stream.clients import admin, started
from andon.stream.topic_settings import check_topics
from andon.stream.topics import ensure_topics, partitions_of
from tests.fakes import RecordedEvents

pytestmark = pytest.mark.integration


async def test_every_topic_that_processes_share_has_the_partitions_of_the_settings(broker: KafkaSettings) -> None:
    await ensure_topics(Settings(kafka=broker), silent)
    async with started(lambda: admin(broker), broker, silent) as client:
        counts = {
            topic: len(await partitions_of(client, topic))
            for topic in (broker.frames_topic, broker.inspections_topic, broker.defects_topic)
        }
        assert len(await partitions_of(client, broker.cameras_topic)) == broker.camera_partitions == 64
    assert set(counts.values()) == {broker.partitions}


async def test_a_line_begins_with_the_cameras_topic_as_it_is_made(broker: KafkaSettings) -> None:
    await ensure_topics(Settings(kafka=broker), silent)
    events = RecordedEvents()
    await check_topics(broker, [broker.cameras_topic], events)
    assert events.all == []
