"""Cameras on a real broker: files, a real RTSP server that dies and comes back, a camera that never answers."""

import asyncio
from pathlib import Path

import pytest

from andon.messages import CameraStatus, Frame, ShedRange
from andon.settings import KafkaSettings
from tests.integration.ingest.line import FakeCamera, line_on, log, numbers, settings, until
from tests.videos import RtspServer, make_video

pytestmark = pytest.mark.integration


async def test_every_frame_of_a_file_arrives_in_order_and_its_last_word_after_them(
    broker: KafkaSettings, tmp_path: Path
) -> None:
    clip = make_video(tmp_path / "clip.mp4", 300)
    async with line_on(broker) as line:
        await line.camera(settings("a", clip, pace="fast", mailbox_frames=16)).run(line.stop)
    messages = await log(broker, "a")
    last = messages[-1]
    assert isinstance(last, CameraStatus)
    assert (last.final, last.captured) == (True, 300)
    assert numbers(messages, last.session) == list(range(300))
    assert not any(isinstance(item, ShedRange) for item in messages)


async def test_a_loop_goes_on_in_the_same_session(broker: KafkaSettings, tmp_path: Path) -> None:
    clip = make_video(tmp_path / "clip.mp4", 10)
    async with line_on(broker) as line:
        camera = line.camera(settings("a", clip, pace="fast", loop=True))
        running = asyncio.ensure_future(camera.run(line.stop))
        await until(lambda: camera.captured >= 35)
        line.stop.set()
        await running
    frames = [item for item in await log(broker, "a") if isinstance(item, Frame)]
    assert [item.seq for item in frames] == list(range(len(frames)))
    assert len({item.session for item in frames}) == 1
    times = [item.media_time_s for item in frames]
    assert times == pytest.approx([number / 25 for number in range(len(frames))])


async def test_frames_flow_again_after_the_return_of_an_rtsp_server(broker: KafkaSettings, tmp_path: Path) -> None:
    make_video(tmp_path / "clip.mp4", 50)
    server = RtspServer(tmp_path)
    server.start()
    try:
        async with line_on(broker) as line:
            camera = line.camera(settings("a", server.url("clip.mp4"), open_timeout_s=20.0, read_timeout_s=20.0))
            running = asyncio.ensure_future(camera.run(line.stop))
            await until(lambda: camera.captured >= 20)
            server.kill()
            await until(lambda: camera.state == "offline")
            before = camera.captured
            server.start()
            await until(lambda: camera.captured > before)
            line.stop.set()
            await running
    finally:
        server.kill()
    assert line.states("a") == ["connecting", "online", "offline", "online", "stopped"]
    messages = await log(broker, "a")
    finals = [item for item in messages if isinstance(item, CameraStatus) and item.final]
    assert [item.state for item in finals] == ["offline", "stopped"]
    for final in finals:
        assert numbers(messages, final.session) == list(range(final.captured))
    frames = [item for item in messages if isinstance(item, Frame)]
    assert {item.clock for item in frames} == {"camera"}
    assert [item.captured_at for item in frames] == sorted(item.captured_at for item in frames)


async def test_a_camera_that_never_answers_is_told_in_time_and_the_others_go_on(
    broker: KafkaSettings, tmp_path: Path
) -> None:
    clip = make_video(tmp_path / "clip.mp4", 10)
    with FakeCamera(answer=None) as silent_camera:
        async with line_on(broker) as line:
            dead = line.camera(settings("dead", f"rtsp://127.0.0.1:{silent_camera.port}/x"))
            good = line.camera(settings("good", clip, loop=True))
            running = [asyncio.ensure_future(camera.run(line.stop)) for camera in (dead, good)]
            await until(lambda: dead.state == "offline")
            before = good.captured
            await until(lambda: good.captured > before + 10)
            line.stop.set()
            await asyncio.gather(*running)
    assert line.details("dead")[1] == f"rtsp://127.0.0.1:{silent_camera.port}: no answer within 1 s"
    assert line.states("good") == ["connecting", "online", "stopped"]


async def test_a_live_camera_that_outruns_the_broker_sheds_and_says_so(broker: KafkaSettings, tmp_path: Path) -> None:
    clip = make_video(tmp_path / "clip.mp4", 100, fps=1000)
    async with line_on(broker) as line:
        await line.camera(settings("a", clip, mailbox_frames=1)).run(line.stop)
    messages = await log(broker, "a")
    assert any(isinstance(item, ShedRange) and item.reason == "mailbox_full" for item in messages)
    last = messages[-1]
    assert isinstance(last, CameraStatus)
    assert numbers(messages, last.session) == list(range(100))
    assert last.captured == 100


async def test_a_stop_does_not_wait_for_a_camera_that_is_silent(broker: KafkaSettings) -> None:
    with FakeCamera(answer=None) as silent_camera:
        async with line_on(broker) as line:
            camera = line.camera(settings("a", f"rtsp://127.0.0.1:{silent_camera.port}/x", open_timeout_s=600))
            running = asyncio.ensure_future(camera.run(line.stop))
            await until(lambda: silent_camera.connected)
            line.stop.set()
            await until(running.done)
    assert line.states("a") == ["connecting", "stopped"]
