"""A frame on a real broker becomes the picture of a defect."""

from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from andon.events import ClipStored, EvidenceStored, silent
from andon.messages import RecordRef
from andon.settings import ClipSettings, EvidenceSettings, KafkaSettings, Settings
from andon.stream.clients import consumer, producer, reader, started
from andon.stream.publisher import KafkaPublisher
from andon.stream.ranges import RangeReader
from andon.stream.reading import RecordReader
from andon.stream.topics import ensure_topics
from andon.wire import encode
from sinks.channels.clips import ClipChannel
from sinks.channels.evidence import EvidenceChannel
from sinks.channels.log import Log
from sinks.clip_order import ClipOrder
from sinks.outbox_item import OutboxItem
from tests.fakes import START, RecordedEvents
from tests.outbox import a_defect, an_evidence_item, an_order
from tests.unit.sinks.channels.test_evidence import a_frame
from tests.unit.sinks.channels.test_frame_pictures import video
from tests.video_units import PLAIN_264, stream

pytestmark = pytest.mark.integration


async def test_a_frame_is_read_back_by_its_reference_and_stored_with_its_box(
    broker: KafkaSettings, tmp_path: Path
) -> None:
    await ensure_topics(Settings(kafka=broker), silent)
    events = RecordedEvents()
    async with (
        started(lambda: producer(broker), broker, silent) as sender,
        started(lambda: reader(broker), broker, silent) as client,
        started(lambda: consumer(broker, None), broker, silent) as ranging,
    ):
        publisher = KafkaPublisher(sender)
        refs = [await (await publisher.send(broker.frames_topic, encode(a_frame(seq)))) for seq in range(3)]
        channel = EvidenceChannel(
            Log(RecordReader(client), RangeReader(ranging)), EvidenceSettings(url=str(tmp_path)), events
        )
        await channel.send(an_evidence_item(an_order(refs[1], a_defect(1))))
        gone = RecordRef(topic=refs[1].topic, partition=refs[1].partition, offset=10_000)
        await channel.send(an_evidence_item(an_order(gone, a_defect(2), "press-3/2.jpg")))
        channel.close()
    with Image.open(tmp_path / "press-3/1.jpg") as image:
        assert image.width == 640
    assert (tmp_path / "press-3/2.expired.json").is_file()
    assert [event.outcome for event in events.of(EvidenceStored)] == ["stored", "expired"]


async def test_a_frame_of_video_is_decoded_from_its_keyframe_and_its_clip_is_cut_out_of_the_log(
    broker: KafkaSettings, tmp_path: Path
) -> None:
    """Between the records of another camera. The clip begins with the keyframe before its begin."""
    await ensure_topics(Settings(kafka=broker), silent)
    camera, events = stream(PLAIN_264), RecordedEvents()
    frames = video(camera)
    async with (
        started(lambda: producer(broker), broker, silent) as sender,
        started(lambda: reader(broker), broker, silent) as client,
        started(lambda: consumer(broker, None), broker, silent) as ranging,
    ):
        refs = []
        for frame in frames:
            for message in (frame, frame.model_copy(update={"camera_id": "press-4"})):
                out = encode(message)
                sent = await sender.client.send(broker.frames_topic, out.value, out.key, 1, headers=out.headers)
                refs.append((await sent).offset)
        ref = [RecordRef(topic=broker.frames_topic, partition=1, offset=offset) for offset in refs[::2]]
        log = Log(RecordReader(client), RangeReader(ranging))
        defect = a_defect(1, best_frame=frames[25].frame_id)
        order = an_order(ref[25], defect).model_copy(update={"keyframe": ref[20]})
        evidence = EvidenceChannel(log, EvidenceSettings(url=str(tmp_path)), events)
        clips = ClipChannel(log, str(tmp_path), ClipSettings(before_s=0.4, after_s=0.4), events)
        await evidence.send(an_evidence_item(order))
        clip = ClipOrder(subject="d1", frame_id=frames[25].frame_id, frame=ref[25], path="press-3/1.mp4")
        await clips.send(OutboxItem(1, "clips", 0, "d1/clip", clip.model_dump_json().encode(), START, 0))
        evidence.close()
        clips.close()
    with Image.open(tmp_path / "press-3/1.raw.jpg") as image:
        drawn = np.asarray(image.convert("RGB"), float)[..., ::-1]
    assert np.abs(drawn - camera.pictures[25]).mean() < 3
    with av.open(str(tmp_path / "press-3/1.mp4"), "r") as container:
        shown = [picture.to_ndarray(format="bgr24") for picture in container.decode(video=0)]
    assert [event.outcome for event in events.of(ClipStored)] == ["stored"]
    np.testing.assert_array_equal(np.array(shown), np.array([camera.pictures[number] for number in range(20, 30)]))
