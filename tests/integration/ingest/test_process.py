"""`andon ingest` as a process: how it ends, what it says, what it never says."""

import os
import signal
from pathlib import Path

import pytest

from andon.events import silent
from andon.messages import CameraStatus, Frame
from andon.settings import KafkaSettings, Settings
from andon.stream.topics import ensure_topics
from tests.conftest import kafka_settings
from tests.integration.ingest.line import FakeCamera, Ingester, log, numbers, raw_log, until
from tests.kafka_server import KafkaServer, missing
from tests.videos import make_video

pytestmark = pytest.mark.integration
SECRET = "gEh31m"
CAPTURED, PUBLISHED = (f"andon_ingest_frames_{what}_total" for what in ("captured", "published"))


async def test_sigterm_drains_the_queue_and_sends_the_final_status(broker: KafkaSettings, tmp_path: Path) -> None:
    clip = make_video(tmp_path / "clip.mp4", 20)
    await ensure_topics(Settings(kafka=broker), silent)
    with Ingester(tmp_path, broker, {"id": "a", "url": str(clip), "loop": True}) as ingester:
        await until(lambda: "state=online" in ingester.log)
        await until(lambda: ingester.metric(CAPTURED) > 10)
        ingester.process.send_signal(signal.SIGTERM)
        assert await ingester.ended() == 0
    messages = await log(broker, "a")
    last = messages[-1]
    assert isinstance(last, CameraStatus)
    assert (last.final, last.state) == (True, "stopped")
    assert numbers(messages, last.session) == list(range(last.captured))
    assert last.captured > 0


async def test_once_ends_with_the_last_camera(broker: KafkaSettings, tmp_path: Path) -> None:
    clip = make_video(tmp_path / "clip.mp4", 20)
    await ensure_topics(Settings(kafka=broker), silent)
    cameras = [{"id": name, "url": str(clip), "pace": "fast"} for name in ("a", "b")]
    with Ingester(tmp_path, broker, *cameras, once=True) as ingester:
        assert await ingester.ended() == 0
    for name in ("a", "b"):
        assert len([item for item in await log(broker, name) if isinstance(item, Frame)]) == 20


async def test_a_refused_login_never_shows_the_password(embedded_broker: str, tmp_path: Path) -> None:
    kafka = kafka_settings(embedded_broker, embedded=True)
    await ensure_topics(Settings(kafka=kafka), silent)
    with FakeCamera("401 Unauthorized") as refusing, FakeCamera("200 OK") as nonsense:
        urls = [f"rtsp://admin:{SECRET}@127.0.0.1:{server.port}/x?pw={SECRET}" for server in (refusing, nonsense)]
        urls += [f"rtsp://admin:{SECRET}@127.0.0.1:1/x", f"rtsp://admin:{SECRET}@127.0.0.1:99999/x"]
        cameras = [{"id": f"c{number}", "url": url} for number, url in enumerate(urls)]
        with Ingester(tmp_path, kafka, *cameras) as ingester:
            await until(lambda: ingester.log.count("state=offline") == len(cameras))
            ingester.process.send_signal(signal.SIGTERM)
            assert await ingester.ended() == 0
    assert "refused the login (401)" in ingester.log
    assert SECRET not in ingester.log
    records = await raw_log(kafka)
    assert len(records) >= 3 * len(cameras)
    assert not any(SECRET.encode() in (record.value or b"") + repr(record.headers).encode() for record in records)


async def test_missing_topics_are_one_line(embedded_broker: str, tmp_path: Path) -> None:
    kafka = kafka_settings(embedded_broker, embedded=True)
    with Ingester(tmp_path, kafka, {"id": "a", "url": "clip.mp4"}) as ingester:
        assert await ingester.ended() == 1
    assert f"the topics {kafka.frames_topic}, {kafka.cameras_topic} are missing" in ingester.log
    assert "andon topics create" in ingester.log
    assert "Traceback" not in ingester.log


async def test_a_broker_that_dies_and_comes_back_costs_no_frame_and_no_order(tmp_path: Path) -> None:
    if reason := missing():
        pytest.skip(reason)
    clip = make_video(tmp_path / "clip.mp4", 50)
    with KafkaServer(tmp_path / "kafka") as server:
        kafka = kafka_settings(server.bootstrap_servers, embedded=False)
        await ensure_topics(Settings(kafka=kafka), silent)
        camera = {"id": "a", "url": str(clip), "loop": True, "mailbox_frames": 5000}
        with Ingester(tmp_path, kafka, camera) as ingester:
            await until(lambda: "state=online" in ingester.log)
            await until(lambda: ingester.metric(PUBLISHED) > 25)
            server.stop(signal.SIGKILL)
            at_the_end = ingester.metric(CAPTURED)
            await until(lambda: ingester.metric(CAPTURED) > at_the_end + 25)
            server.start()
            await until(lambda: ingester.metric(PUBLISHED) > at_the_end + 25)
            ingester.process.send_signal(signal.SIGTERM)
            assert await ingester.ended() == 0
        messages = await log(kafka, "a")
    last = messages[-1]
    assert isinstance(last, CameraStatus)
    assert last.final
    assert numbers(messages, last.session) == list(range(last.captured))


async def test_a_stop_while_the_broker_is_away_ends_at_the_drain_deadline(tmp_path: Path) -> None:
    if reason := missing():
        pytest.skip(reason)
    clip = make_video(tmp_path / "clip.mp4", 50)
    with KafkaServer(tmp_path / "kafka") as server:
        kafka = kafka_settings(server.bootstrap_servers, embedded=False)
        await ensure_topics(Settings(kafka=kafka), silent)
        camera = {"id": "a", "url": str(clip), "loop": True}
        with Ingester(tmp_path, kafka, camera, drain_s=2.0) as ingester:
            await until(lambda: "state=online" in ingester.log)
            server.stop(signal.SIGKILL)
            ingester.process.send_signal(signal.SIGTERM)
            assert await ingester.ended() == 1
    assert "drained=false" in ingester.log.lower()


async def test_a_source_that_blocks_for_ever_takes_down_its_camera_only_and_holds_up_no_end(
    broker: KafkaSettings, tmp_path: Path
) -> None:
    clip = make_video(tmp_path / "clip.mp4", 20)
    os.mkfifo(tmp_path / "blocks.mp4")  # nobody writes to it: the system never returns from opening it
    await ensure_topics(Settings(kafka=broker), silent)
    cameras = [
        {"id": "a", "url": str(clip), "loop": True},
        {"id": "b", "url": str(tmp_path / "blocks.mp4"), "open_timeout_s": 0.3, "hang_grace_s": 0.3},
    ]
    with Ingester(tmp_path, broker, *cameras, drain_s=2.0) as ingester:
        await until(lambda: "2 of them hang now" in ingester.log)
        ingester.process.send_signal(signal.SIGTERM)
        assert await ingester.ended() == 0
    assert "opening the camera has not returned for 0.6 s (open_timeout_s + hang_grace_s)" in ingester.log
    assert "Traceback" not in ingester.log
    messages = await log(broker, "a")
    last = messages[-1]
    assert isinstance(last, CameraStatus)
    assert last.final
    assert numbers(messages, last.session) == list(range(last.captured))


@pytest.mark.parametrize("hangs", [True, False])
async def test_the_interpreter_does_not_end_under_a_thread_that_is_left_behind(
    hangs: bool, embedded_broker: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """FFmpeg would crash there: six of 24 ingesters, whose cameras timed out just then, ended by SIGSEGV."""
    (tmp_path / "sitecustomize.py").write_text("import atexit\natexit.register(print, 'the interpreter ends')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    kafka = kafka_settings(embedded_broker, embedded=True)
    await ensure_topics(Settings(kafka=kafka), silent)
    if hangs:
        os.mkfifo(tmp_path / "camera.mp4")
    else:
        make_video(tmp_path / "camera.mp4", 20)
    camera = {"id": "b", "url": str(tmp_path / "camera.mp4"), "open_timeout_s": 0.3, "hang_grace_s": 0.3}
    with Ingester(tmp_path, kafka, camera, once=not hangs) as ingester:
        if hangs:
            await until(lambda: "its thread is left behind" in ingester.log)
            ingester.process.send_signal(signal.SIGTERM)
        assert await ingester.ended() == 0
    assert "event=process.stopped" in ingester.log
    assert ("the interpreter ends" in ingester.log) is not hangs


async def test_a_broker_that_hangs_and_a_source_that_blocks_hold_up_no_end(tmp_path: Path) -> None:
    if reason := missing():
        pytest.skip(reason)
    clip = make_video(tmp_path / "clip.mp4", 20)
    os.mkfifo(tmp_path / "blocks.mp4")
    with KafkaServer(tmp_path / "kafka") as server:
        kafka = kafka_settings(server.bootstrap_servers, embedded=False)
        kafka = kafka.model_copy(update={"request_timeout_s": 600.0})  # no request's end may be what ends it
        await ensure_topics(Settings(kafka=kafka), silent)
        works: dict[str, object] = {"id": "a", "url": str(clip), "loop": True}
        blocks: dict[str, object] = {"id": "b", "url": str(tmp_path / "blocks.mp4")}
        with Ingester(tmp_path, kafka, works, blocks, drain_s=1.0) as ingester:
            await until(lambda: "state=online" in ingester.log)
            server.freeze()
            ingester.process.send_signal(signal.SIGTERM)
            assert await ingester.ended() == 1
        server.thaw()
