"""A frame on a real broker becomes the picture of a defect."""

from pathlib import Path

import pytest
from PIL import Image

from andon.events import EvidenceStored, silent
from andon.messages import RecordRef
from andon.settings import EvidenceSettings, KafkaSettings, Settings
from andon.stream.clients import producer, reader, started
from andon.stream.publisher import KafkaPublisher
from andon.stream.reading import RecordReader
from andon.stream.topics import ensure_topics
from andon.wire import encode
from sinks.channels.evidence import EvidenceChannel
from tests.fakes import RecordedEvents
from tests.outbox import a_defect, an_evidence_item, an_order
from tests.unit.sinks.channels.test_evidence import a_frame

pytestmark = pytest.mark.integration


async def test_a_frame_is_read_back_by_its_reference_and_stored_with_its_box(
    broker: KafkaSettings, tmp_path: Path
) -> None:
    await ensure_topics(Settings(kafka=broker), silent)
    events = RecordedEvents()
    async with (
        started(lambda: producer(broker), broker, silent) as sender,
        started(lambda: reader(broker), broker, silent) as client,
    ):
        publisher = KafkaPublisher(sender)
        refs = [await (await publisher.send(broker.frames_topic, encode(a_frame(seq)))) for seq in range(3)]
        channel = EvidenceChannel(RecordReader(client), EvidenceSettings(url=str(tmp_path)), events)
        await channel.send(an_evidence_item(an_order(refs[1], a_defect(1))))
        gone = RecordRef(topic=refs[1].topic, partition=refs[1].partition, offset=10_000)
        await channel.send(an_evidence_item(an_order(gone, a_defect(2), "press-3/2.jpg")))
        channel.close()
    with Image.open(tmp_path / "press-3/1.jpg") as image:
        assert image.width == 640
    assert (tmp_path / "press-3/2.expired.json").is_file()
    assert [event.outcome for event in events.of(EvidenceStored)] == ["stored", "expired"]
