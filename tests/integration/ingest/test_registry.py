"""`andon ingest` follows the registry while it runs: cameras come, change and go, each one by itself."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from andon.cameras.registry import Change, Writer, open_registry, open_writer
from andon.events import silent
from andon.messages import CameraConfig, CameraStatus, Frame, Message, tenure_of
from andon.settings import KafkaSettings, Settings
from andon.stream.reading import read_topic
from andon.stream.topics import ensure_topics
from andon.wire import decode
from tests.conftest import kafka_settings
from tests.fakes import START
from tests.integration.ingest.line import Ingester, until
from tests.videos import make_video

pytestmark = pytest.mark.integration


class Log:
    """What the ingesters have published, as it comes."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    def of(self, camera_id: str) -> list[Frame]:
        return [item for item in self.messages if isinstance(item, Frame) and item.camera_id == camera_id]

    def sessions(self, camera_id: str) -> list[str]:
        return list(dict.fromkeys(frame.session for frame in self.of(camera_id)))

    def finals(self, camera_id: str) -> list[CameraStatus]:
        statuses = [item for item in self.messages if isinstance(item, CameraStatus) and item.camera_id == camera_id]
        return [status for status in statuses if status.final]

    def last_status(self, camera_id: str) -> CameraStatus | None:
        statuses = [item for item in self.messages if isinstance(item, CameraStatus) and item.camera_id == camera_id]
        return statuses[-1] if statuses else None


@asynccontextmanager
async def following(kafka: KafkaSettings) -> AsyncIterator[Log]:
    log = Log()

    async def follow() -> None:
        async with read_topic(kafka, kafka.frames_topic, silent) as topic:
            while True:
                for records in (await topic.poll()).values():
                    log.messages += [decode(record) for record in records]

    task = asyncio.create_task(follow(), name="follow")
    try:
        yield log
    finally:
        task.cancel()
        await asyncio.wait({task})


@asynccontextmanager
async def writing(kafka: KafkaSettings) -> AsyncIterator[Writer]:
    async with open_registry(kafka, silent) as registry, open_writer(kafka, registry, silent) as writer:
        yield writer


def camera(camera_id: str, clip: Path, **settings: int | str | bool) -> Change:
    config = CameraConfig(camera_id=camera_id, settings={"url": str(clip), "loop": True, **settings}, at=START)
    return lambda present: config


def removed(present: CameraConfig | None) -> None:
    return None


@pytest.fixture
async def kafka(embedded_broker: str) -> KafkaSettings:
    settings = kafka_settings(embedded_broker, embedded=True)
    await ensure_topics(Settings(kafka=settings), silent)
    return settings


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_video(tmp_path_factory.mktemp("clip") / "clip.mp4", 20)


async def test_a_camera_is_added_changed_disabled_and_removed_by_itself(
    kafka: KafkaSettings, clip: Path, tmp_path: Path
) -> None:
    line = {"id": "a", "url": str(clip), "loop": True}
    async with following(kafka) as log:
        with Ingester(tmp_path, kafka, line, alone=True) as ingester:
            await until(lambda: bool(log.of("a")))
            async with writing(kafka) as writer:
                await writer.change("b", camera("b", clip))
                await until(lambda: bool(log.of("b")))
                await writer.change("b", camera("b", clip, longest_side=64))
                await until(lambda: any(frame.width == 64 for frame in log.of("b")))
                await until(lambda: len(log.finals("b")) == 1)
                await writer.change("b", camera("b", clip, enabled=False))
                await until(lambda: len(log.finals("b")) == 2)
                await writer.change("b", camera("b", clip))
                await until(lambda: len(log.sessions("b")) == 3)
                await writer.change("b", removed)
                await until(lambda: len(log.finals("b")) == 3)
            ingester.process.send_signal(signal.SIGTERM)
            assert await ingester.ended() == 0
            await until(lambda: len(log.finals("a")) == 1)
    assert [final.session for final in log.finals("b")] == log.sessions("b")
    assert all(final.state == "stopped" and final.captured > 0 for final in log.finals("b"))
    assert len(log.sessions("a")) == 1, "the other camera has noticed nothing"
    assert "event=cameras.seeded" in ingester.log
    assert "added=a changed=- removed=-" in ingester.log


async def test_each_start_publishes_what_line_yaml_has_changed(
    kafka: KafkaSettings, clip: Path, tmp_path: Path
) -> None:
    video = {"url": str(clip), "loop": True}
    with Ingester(tmp_path, kafka, {"id": "a", **video}, {"id": "b", **video}, alone=True) as ingester:
        await until(lambda: "added=a,b changed=- removed=-" in ingester.log)
        await until(lambda: "event=process.ready" in ingester.log)
    async with writing(kafka) as writer:
        await writer.change("d", camera("d", clip))
    with Ingester(tmp_path, kafka, {"id": "a", **video, "fps": 5}, {"id": "c", **video}, alone=True) as ingester:
        await until(lambda: "added=c changed=a removed=b" in ingester.log)
        await until(lambda: ingester.log.count("state=online") == 3)  # a, c and d
    with Ingester(tmp_path, kafka, {"id": "a", **video, "fps": 5}, {"id": "c", **video}, alone=True) as ingester:
        await until(lambda: ingester.log.count("state=online") == 3)
    assert "cameras.seeded" not in ingester.log, "nothing has changed"
    async with open_registry(kafka, silent) as registry:
        assert sorted(registry.cameras) == ["a", "c", "d"]


async def test_a_line_that_leaves_the_registry_alone_captures_what_it_names(
    kafka: KafkaSettings, clip: Path, tmp_path: Path
) -> None:
    async with following(kafka) as log, writing(kafka) as writer:
        await writer.change("a", camera("a", clip))
        with Ingester(tmp_path, kafka, alone=True, registry=True) as ingester:
            await until(lambda: bool(log.of("a")))
    assert "cameras.seeded" not in ingester.log


async def test_a_camera_whose_secret_is_not_here_is_offline_and_says_why(
    kafka: KafkaSettings, clip: Path, tmp_path: Path
) -> None:
    reason = "camera a.url: the environment variable ANDON_TEST_NOWHERE is not set"

    def offline(log: Log) -> bool:
        status = log.last_status("a")
        return status is not None and (status.state, status.detail) == ("offline", reason)

    async with following(kafka) as log, writing(kafka) as writer:
        await writer.change("a", camera("a", clip, url="rtsp://user:${ANDON_TEST_NOWHERE}@127.0.0.1/x"))
        await writer.change("b", camera("b", clip, pool="nowhere"))
        with Ingester(tmp_path, kafka, {"id": "c", "url": str(clip), "loop": True}, alone=True) as ingester:
            await until(lambda: offline(log) and bool(log.of("c")))
            await until(lambda: "frames.nowhere of its pool is missing" in ingester.log)
            await writer.change("a", camera("a", clip))
            await until(lambda: bool(log.of("a")))


async def test_a_password_in_line_yaml_is_used_and_not_published(
    kafka: KafkaSettings, clip: Path, tmp_path: Path
) -> None:
    url = "rtsp://user:hunter2@127.0.0.1:1/x"
    with Ingester(tmp_path, kafka, {"id": "a", "url": url}, alone=True) as ingester:
        await until(lambda: "state=offline" in ingester.log)
    assert "event=camera.password_kept_out" in ingester.log
    assert "hunter2" not in ingester.log
    async with open_registry(kafka, silent) as registry:
        assert registry.cameras["a"].config.settings == {"url": "rtsp://user:${line.yaml}@127.0.0.1:1/x"}


def owners(log: Log) -> dict[str, str]:
    """Who captured each camera last."""
    statuses = [item for item in log.messages if isinstance(item, CameraStatus) and item.session]
    return {status.camera_id: status.ingester for status in statuses}


async def test_ingesters_share_the_cameras_and_take_over_from_one_that_stops(
    apache_kafka: str, clip: Path, tmp_path: Path
) -> None:
    kafka = kafka_settings(apache_kafka, embedded=False)
    kafka = kafka.model_copy(update={"session_timeout_s": 60.0})  # a busy machine puts no member out
    await ensure_topics(Settings(kafka=kafka), silent)
    names = [f"c{number}" for number in range(4)]
    line = [{"id": name, "url": str(clip), "loop": True} for name in names]
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    async with following(kafka) as log:
        with Ingester(tmp_path / "one", kafka, *line) as one:
            await until(lambda: all(log.of(name) for name in names))
            first = {name: log.sessions(name)[0] for name in names}
            with Ingester(tmp_path / "two", kafka, *line) as two:
                await until(lambda: sum(len(log.sessions(name)) == 2 for name in names) == 2)
                await until(lambda: len(set(owners(log).values())) == 2)
                stayed = [name for name in names if log.sessions(name) == [first[name]]]
                assert len(stayed) == 2, "what need not move went on undisturbed"
                one.process.send_signal(signal.SIGTERM)
                assert await one.ended() == 0
                await until(lambda: all(len(log.sessions(name)) == 2 for name in names))
                two.process.send_signal(signal.SIGTERM)
                assert await two.ended() == 0
            await until(lambda: all(len(log.finals(name)) == 2 for name in names))
    for name in names:
        old, new = log.sessions(name)
        assert tenure_of(old) < tenure_of(new)
        assert [final.session for final in log.finals(name)] == [old, new]
