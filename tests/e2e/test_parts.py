"""Verdicts on parts from a sink that is killed while parts are in view: each once, on Kafka, Redis and /metrics."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest

from andon.events import silent
from andon.messages import CameraStatus, Message, PartVerdict
from andon.settings import KafkaSettings
from andon.stream.clients import consumer, producer, started
from andon.stream.publisher import KafkaPublisher
from andon.wire import Record, decode, encode
from tests.e2e.line import Line
from tests.unit.sinks.judgement.belt import Belt, Flaw, Piece

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]
FRAMES = 40
BELT = Belt(
    (Piece(-120, (Flaw(0.3, 0.6),)), Piece(-400), Piece(-680), Piece(-1120)), step_px=40.0, frames=FRAMES, jitter_px=1.0
)
DUE = ["reject", "pass", "pass", "unknown"]
"""The last one is before the line when the session ends."""


def final() -> CameraStatus:
    at = datetime(2026, 3, 1, 6, 0, tzinfo=UTC) + timedelta(minutes=1)
    return CameraStatus(camera_id="press-1", session="s1", state="stopped", captured=FRAMES, final=True, at=at)


async def publish(kafka: KafkaSettings, messages: list[Message]) -> None:
    async with started(lambda: producer(kafka), kafka, silent) as client:
        publisher = KafkaPublisher(client)
        for acknowledgement in [await publisher.send(kafka.inspections_topic, encode(item)) for item in messages]:
            await acknowledgement


async def on_kafka(kafka: KafkaSettings, count: int) -> list[PartVerdict]:
    verdicts: dict[str, PartVerdict] = {}
    async with started(lambda: consumer(kafka, None), kafka, silent) as client, asyncio.timeout(60):
        client.subscribe([kafka.defects_topic])
        while len(verdicts) < count:
            for raw in [raw for records in (await client.getmany(timeout_ms=100)).values() for raw in records]:
                record = Record(raw.topic, raw.partition, raw.offset, raw.timestamp, raw.key, raw.value, raw.headers)
                message = decode(record)
                if isinstance(message, PartVerdict):
                    verdicts.setdefault(message.event_id, message)
    return list(verdicts.values())


def test_each_part_has_one_verdict_although_the_sink_is_killed_while_parts_are_in_view(
    line: Line, broker: KafkaSettings
) -> None:
    line.document["parts"] = {"class": "part"}
    line.write()
    line.start("sink", "sink")
    inspections = list(BELT.inspections())
    asyncio.run(publish(broker, [*inspections[:13]]))
    line.wait_for(lambda: line.inspected() >= 13, 60, "two parts to be in view")
    line.kill("sink")
    asyncio.run(publish(broker, [*inspections[10:], final()]))
    line.start("sink", "sink")
    parts = asyncio.run(on_kafka(broker, len(DUE)))
    assert [part.verdict for part in parts] == DUE
    assert [defect.label for defect in parts[0].defects] == ["scratch"]
    followed = line.run("alerts", "follow", "--parts", "--from-start", "--json", "--count", str(len(DUE)))
    assert [PartVerdict.model_validate(json.loads(text)) for text in followed.splitlines()] == parts
    assert 'andon_sinks_parts_total{camera="press-1",verdict="pass"} 2.0' in line.metrics("sink")
