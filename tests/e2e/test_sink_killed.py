"""A sink is killed in the middle of a track: the same events with the same ids as without."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from andon.events import silent
from andon.messages import Box, CameraStatus, Defect, Detection, Inspection, Message, RecordRef
from andon.settings import KafkaSettings
from andon.stream.clients import consumer, producer, started
from andon.stream.publisher import KafkaPublisher
from andon.wire import Record, decode, encode
from tests.e2e.line import Line

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]
START = datetime(2026, 3, 1, 6, 0, tzinfo=UTC)
FRAMES = 120


def inspection(seq: int) -> Inspection:
    """Two scratches cross the picture one after the other, each for 40 frames."""
    visible = [Detection(label="scratch", confidence=0.8, box=box) for box in _boxes(seq)]
    at = START + timedelta(seconds=seq / 15)
    return Inspection(
        camera_id="press-1",
        session="s1",
        seq=seq,
        captured_at=at,
        media_time_s=seq / 15,
        outcome="inspected",
        detections=tuple(visible),
        width=640,
        height=480,
        frame=RecordRef(topic="gone", partition=0, offset=seq),
        inspected_at=at,
    )


def _boxes(seq: int) -> list[Box]:
    starts = [first for first in (10, 65) if first <= seq < first + 40]
    return [Box(x1=15.0 * (seq - s), y1=200, x2=15.0 * (seq - s) + 30, y2=220) for s in starts]


async def publish(kafka: KafkaSettings, messages: list[Message]) -> None:
    async with started(lambda: producer(kafka), kafka, silent) as client:
        publisher = KafkaPublisher(client)
        sent = [await publisher.send(kafka.inspections_topic, encode(message)) for message in messages]
        for acknowledgement in sent:
            await acknowledgement


async def defects(kafka: KafkaSettings, count: int) -> list[Defect]:
    """The distinct events on the defects topic, in order, once `count` of them are there."""
    events: dict[str, Defect] = {}
    async with started(lambda: consumer(kafka, None), kafka, silent) as client, asyncio.timeout(60):
        client.subscribe([kafka.defects_topic])
        while len(events) < count:
            for records in (await client.getmany(timeout_ms=100)).values():
                for raw in records:
                    message = decode(
                        Record(raw.topic, raw.partition, raw.offset, raw.timestamp, raw.key, raw.value, raw.headers)
                    )
                    assert isinstance(message, Defect)
                    events.setdefault(message.event_id, message)
    return list(events.values())


def final() -> CameraStatus:
    at = START + timedelta(seconds=FRAMES / 15)
    return CameraStatus(camera_id="press-1", session="s1", state="stopped", captured=FRAMES, final=True, at=at)


def expected_ids() -> list[str]:
    first, second = "press-1/s1/10/scratch-1", "press-1/s1/65/scratch-1"
    return [f"{first}/opened", f"{first}/closed", f"{second}/opened", f"{second}/closed"]


def test_a_sink_killed_in_the_middle_of_a_track_raises_the_same_events_with_the_same_ids(
    line: Line, broker: KafkaSettings
) -> None:
    line.write()
    line.start("sink", "sink")
    asyncio.run(publish(broker, [inspection(seq) for seq in range(30)]))
    line.wait_for(lambda: line.inspected() >= 20, 60, "the track to be open")
    line.kill("sink")
    asyncio.run(publish(broker, [*(inspection(seq) for seq in range(30, FRAMES)), final()]))
    line.start("sink", "sink")
    line.wait_for(lambda: line.inspected() == FRAMES, 60, "the rest")
    events = asyncio.run(defects(broker, 4))
    assert [event.event_id for event in events] == expected_ids()
    assert line.audit()["ledger"]["duplicates"] == 0


def test_a_redelivered_inspection_changes_neither_ledger_nor_counters_nor_events(
    line: Line, broker: KafkaSettings
) -> None:
    line.write()
    line.start("sink", "sink")
    first = [inspection(seq) for seq in range(60)]
    asyncio.run(
        publish(broker, [*first, *first, *first[20:], *(inspection(seq) for seq in range(60, FRAMES)), final()])
    )
    line.wait_for(lambda: line.inspected() == FRAMES, 60, "every frame")
    report = line.audit()
    assert report["ledger"]["captured"] == FRAMES
    assert report["ledger"]["duplicates"] == 0
    assert report["cameras"][0]["redelivered"] == 100
    assert [event.event_id for event in asyncio.run(defects(broker, 4))] == expected_ids()
