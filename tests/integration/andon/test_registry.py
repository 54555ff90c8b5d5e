"""The registry on real brokers: read whole, followed, and written by several at once."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from andon.cameras.registry import Change, Registry, Writer, open_registry, open_writer
from andon.cameras.seed import seed_of
from andon.clock import SystemClock
from andon.errors import FatalError
from andon.events import CameraRecordUnreadable, CamerasSeeded, silent
from andon.messages import CameraConfig
from andon.settings import KafkaSettings, Settings
from andon.stream.balance import Claim, shared_out
from andon.stream.clients import producer, started
from andon.stream.publisher import KafkaPublisher
from andon.stream.topics import ensure_topics
from andon.wire import Outgoing
from ingest.seeding import seed_registry
from ingest.shares import CameraSelection, Everything
from tests.conftest import kafka_settings
from tests.fakes import START, RecordedEvents

pytestmark = pytest.mark.integration
WAIT_S = 60.0


def config(camera_id: str, **settings: int | str) -> CameraConfig:
    return CameraConfig(camera_id=camera_id, settings={"url": "clip.mp4", **settings}, at=START)


def put(wanted: CameraConfig | None) -> Change:
    return lambda present: wanted


def setting(**values: int) -> Change:
    """What `andon camera set` does."""

    def change(present: CameraConfig | None) -> CameraConfig | None:
        assert present is not None
        return present.model_copy(update={"settings": {**(present.settings or {}), **values}})

    return change


@asynccontextmanager
async def writing(kafka: KafkaSettings) -> AsyncIterator[tuple[Registry, Writer]]:
    async with open_registry(kafka, silent) as registry, open_writer(kafka, registry, silent) as writer:
        yield registry, writer


async def until(registry: Registry, camera_id: str) -> None:
    async with asyncio.timeout(WAIT_S):
        while camera_id not in await registry.poll():
            pass


async def test_what_one_writes_another_reads_and_follows(broker: KafkaSettings) -> None:
    await ensure_topics(Settings(kafka=broker), silent)
    async with writing(broker) as (registry, writer):
        assert registry.cameras == {}
        await writer.change_all({f"press-{number}": put(config(f"press-{number}", fps=5)) for number in range(20)})
        async with open_registry(broker, silent) as other:
            assert {name: entry.config for name, entry in other.cameras.items()} == {
                f"press-{number}": config(f"press-{number}", fps=5) for number in range(20)
            }
            await writer.change("press-3", setting(fps=10))
            await until(other, "press-3")
            assert other.cameras["press-3"].config == config("press-3", fps=10)
            await writer.change("press-3", put(None))
            await until(other, "press-3")
            assert "press-3" not in other.cameras
        async with open_registry(broker, silent) as late:
            assert "press-3" not in late.cameras
            assert len(late.cameras) == 19


async def test_what_is_as_it_should_be_is_not_written_again(broker: KafkaSettings) -> None:
    await ensure_topics(Settings(kafka=broker), silent)
    async with writing(broker) as (registry, writer):
        await writer.change("press-3", put(config("press-3")))
        offset = registry.cameras["press-3"].offset
        await writer.change("press-3", put(config("press-3").model_copy(update={"at": START.replace(year=2027)})))
        await writer.change("press-4", put(None))
        async with open_registry(broker, silent) as other:
            assert other.cameras["press-3"].offset == offset
            assert other.latest("press-4") is None


async def test_of_two_changes_at_once_neither_is_lost(broker: KafkaSettings) -> None:
    await ensure_topics(Settings(kafka=broker), silent)
    async with writing(broker) as (_, first), writing(broker) as (_, second):
        await first.change("press-3", put(config("press-3")))
        for number in range(5):
            async with asyncio.TaskGroup() as both:
                both.create_task(first.change("press-3", setting(fps=number + 1)), name="first")
                both.create_task(second.change("press-3", setting(jpeg_quality=number + 50)), name="second")
            async with open_registry(broker, silent) as other:
                assert other.cameras["press-3"].config == config("press-3", fps=number + 1, jpeg_quality=number + 50)


async def test_a_start_with_two_thousand_cameras_publishes_reads_and_shares_all_of_them(embedded_broker: str) -> None:
    kafka = kafka_settings(embedded_broker, embedded=True)
    await ensure_topics(Settings(kafka=kafka), silent)
    cameras = [{"id": f"c{number}", "url": f"rtsp://10.0.{number // 250}.{number % 250}/"} for number in range(2000)]
    seed, events = seed_of(cameras, "line", "line.yaml"), RecordedEvents()
    async with writing(kafka) as (registry, writer):
        await seed_registry(registry, writer, seed, SystemClock(), events)
        await seed_registry(registry, writer, seed, SystemClock(), events)
    (seeded,) = events.of(CamerasSeeded)
    assert seeded.added.endswith(" and 1980 more")
    async with open_registry(kafka, silent) as registry:
        loads = CameraSelection().loads(registry)
        assert len(registry.cameras) == sum(loads.values()) == 2000
        assert loads.keys() == set(range(64))
        shares = shared_out(range(64), {f"m{number}": Claim(-1, frozenset()) for number in range(16)}, loads)
        assert max(sum(loads[item] for item in share) for share in shares.values()) < 2 * 2000 / 16
        wanted = CameraSelection().wanted(registry, Everything(dict.fromkeys(shares["m0"], 7)))
        assert len(wanted) == sum(loads[item] for item in shares["m0"])


async def test_a_record_that_is_none_of_ours_changes_nothing(broker: KafkaSettings) -> None:
    await ensure_topics(Settings(kafka=broker), silent)
    async with writing(broker) as (_, writer):
        await writer.change("press-3", put(config("press-3")))
    async with started(lambda: producer(broker), broker, silent) as client:
        publisher = KafkaPublisher(client)
        for key, value in ((b"press-3", b"{}"), (b"\xff", b""), (b"press-4", b"")):
            await (await publisher.send(broker.cameras_topic, Outgoing(key, value, (), 1)))
    events = RecordedEvents()
    async with open_registry(broker, events) as registry:
        assert list(registry.cameras) == ["press-3"]
    assert len(events.of(CameraRecordUnreadable)) == 2


async def test_a_line_without_the_topic_is_told_what_makes_it(broker: KafkaSettings) -> None:
    with pytest.raises(FatalError, match=r"is missing at .*: `andon topics create` makes it"):
        async with open_registry(broker, silent):
            pass
