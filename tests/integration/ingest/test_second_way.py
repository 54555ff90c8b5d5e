"""Heartbeats reach the sinks' topic by a producer of their own, once there is something to send."""

import asyncio

import pytest

from andon.messages import CameraStatus
from andon.settings import KafkaSettings, Settings
from andon.stream.topics import ensure_topics
from andon.wire import decode
from ingest.second_way import SecondWay
from tests.fakes import START, RecordedEvents
from tests.faults.recording import read_all

pytestmark = pytest.mark.integration


def heartbeat(captured: int, camera: str = "press-3") -> CameraStatus:
    return CameraStatus(
        camera_id=camera, session="s", state="online", captured=captured, at=START, stalled="990 frames wait"
    )


async def test_the_newest_heartbeat_of_each_camera_goes_to_the_topic_of_the_inspections(broker: KafkaSettings) -> None:
    await ensure_topics(Settings(kafka=broker), RecordedEvents())
    second_way = SecondWay(broker)
    for status in (heartbeat(1), heartbeat(2), heartbeat(7, "press-4")):
        second_way.send(status)
    running = asyncio.create_task(second_way.run())
    async with asyncio.timeout(60):
        while len(records := await read_all(broker, broker.inspections_topic)) < 2:
            await asyncio.sleep(0.1)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    statuses = [message for message in map(decode, records) if isinstance(message, CameraStatus)]
    assert sorted((status.camera_id, status.captured, status.stalled) for status in statuses) == [
        ("press-3", 2, "990 frames wait"),
        ("press-4", 7, "990 frames wait"),
    ]


async def test_a_broker_that_is_away_is_tried_again(broker: KafkaSettings) -> None:
    await ensure_topics(Settings(kafka=broker), RecordedEvents())
    away = broker.model_copy(update={"bootstrap_servers": "127.0.0.1:9", "start_timeout_s": 0.1})
    second_way = SecondWay(away)
    second_way.send(heartbeat(1))
    running = asyncio.create_task(second_way.run())
    done, _ = await asyncio.wait({running}, timeout=0.5)
    assert not done, "it waits, and ends no process"
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
