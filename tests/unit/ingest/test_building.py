"""A camera that can't be built yet waits, says why, and ends nothing."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from andon.errors import ConfigError, FatalError
from andon.messages import CameraConfig
from andon.settings import Settings
from ingest.building import Workshop, spool_place
from ingest.fleet import PlannedCamera
from tests.fakes import START, FakeClock, MemoryPublisher, RecordedEvents

WANTED = PlannedCamera(CameraConfig(camera_id="c", settings={"url": "clip.mp4"}, at=START), 7)


async def away(topic: str) -> bool:
    raise FatalError("no Kafka at 127.0.0.1:9092 after 60 s")


async def missing(topic: str) -> bool:
    return False


def workshop(topic_exists: Any, publisher: MemoryPublisher) -> Workshop:
    life: Any = SimpleNamespace(settings=Settings(), emit=RecordedEvents(), clock=FakeClock())
    return Workshop(life, cast(Any, publisher), cast(Any, FakeClock()), cast(Any, None), topic_exists)


@pytest.mark.parametrize(
    ("exists", "complaint"), [(away, "no Kafka at"), (missing, "the topic andon.frames of its pool is")]
)
async def test_a_topic_that_can_not_be_asked_for_is_the_cameras_trouble_and_not_the_processs(
    exists: Any, complaint: str
) -> None:
    shop = workshop(exists, MemoryPublisher())
    with pytest.raises(ConfigError, match=complaint):
        await shop.camera(WANTED)
    await shop.refuse(WANTED, complaint)


async def test_a_camera_that_waits_stops_when_it_is_asked_to() -> None:
    shop, stop = workshop(missing, MemoryPublisher()), asyncio.Event()
    running = asyncio.create_task(shop.attempt(WANTED).run(stop))
    await asyncio.sleep(0)
    stop.set()
    async with asyncio.timeout(60):
        await running
    events = cast(RecordedEvents, shop.life.emit)
    assert len(events.all) <= 1


def test_the_cameras_that_share_the_spools_room_have_equal_parts() -> None:
    shop = workshop(missing, MemoryPublisher())
    settings = shop.settings_of(WANTED.config)
    place = spool_place(Settings(), settings, 4)
    assert place is not None
    assert place.max_bytes == Settings().spool.max_bytes // 4
    assert spool_place(Settings(), settings.model_copy(update={"policy": "freshest"}), 4) is None
