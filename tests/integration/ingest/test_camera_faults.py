"""Cameras that freeze, go black, change their size, send garbage or flood are noticed, reported and accounted for."""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Self

import pytest

from andon.clock import SystemClock
from andon.events import CameraChanged, CameraResized
from andon.messages import CameraStatus, Frame, Message, ShedRange
from andon.settings import CameraSettings, HealthSettings, KafkaSettings
from andon.wire import decode
from ingest.camera import Camera, CameraOptions
from ingest.capture import Tools
from ingest.publisher import Route
from ingest.sources.choice import open_source
from tests.fakes import MemoryPublisher, RecordedEvents
from tests.integration.ingest import faulty_clips as clips
from tests.integration.ingest.line import line_on, log, numbers, settings, until
from tests.videos import RtspServer, make_video

pytestmark = pytest.mark.integration


class CameraRig:
    """One camera with the usual health settings, its broker in memory."""

    def __init__(self, camera: CameraSettings) -> None:
        self.events, self.memory, self.stop = RecordedEvents(), MemoryPublisher(), asyncio.Event()
        tools = Tools(open_source, SystemClock(), self.events, 8_000_000)
        route = Route(camera.id, "t", self.memory, 5.0)
        self.camera = Camera(camera, route, tools, CameraOptions(health=HealthSettings()))

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Self]:
        running = asyncio.ensure_future(self.camera.run(self.stop))
        try:
            yield self
        finally:
            self.stop.set()
            await running

    @property
    def log(self) -> list[Message]:
        return [decode(record) for record in self.memory.topics["t"]]

    @property
    def frames(self) -> list[Frame]:
        return [item for item in self.log if isinstance(item, Frame)]

    @property
    def states(self) -> list[str]:
        return [event.state for event in self.events.of(CameraChanged)]

    async def ended(self) -> None:
        await until(lambda: "stopped" in self.states)

    def assert_account(self) -> None:
        last = self.log[-1]
        assert isinstance(last, CameraStatus)
        assert last.final
        assert numbers(self.log, last.session) == list(range(last.captured))


def noticed_after_s(frames: list[Frame], health: str, since_s: float) -> float:
    """How long after media time `since_s` the frames began to say so."""
    first = next(item.media_time_s for item in frames if item.health == health)
    assert first is not None
    return first - since_s


async def test_a_camera_that_freezes_is_frozen_two_seconds_later_and_online_when_it_moves(tmp_path: Path) -> None:
    path = clips.clip(tmp_path / "c.mp4", clips.healthy(3), clips.frozen(5), clips.healthy(3))
    async with CameraRig(settings("a", path, encoding="jpeg")).running() as rig:
        await rig.ended()
    assert rig.states == ["connecting", "online", "frozen", "online", "stopped"]
    assert 2.0 <= noticed_after_s(rig.frames, "frozen", 3.0) <= 2.6  # the encoder settles for some pictures
    assert {item.health for item in rig.frames if 5.7 < (item.media_time_s or 0) < 8} == {"frozen"}
    assert rig.frames[-1].health is None
    rig.assert_account()


async def test_a_stream_that_freezes_is_told_as_such_over_rtsp(tmp_path: Path) -> None:
    clips.clip(tmp_path / "c.mp4", clips.healthy(3), clips.frozen(12))
    with RtspServer(tmp_path) as server:
        camera = settings("a", server.url("c.mp4"), open_timeout_s=5.0, read_timeout_s=5.0, encoding="jpeg")
        async with CameraRig(camera).running() as rig:
            await until(lambda: "frozen" in rig.states)
    assert rig.states[:3] == ["connecting", "online", "frozen"]


async def test_a_camera_that_goes_black_is_dark_within_a_second_and_its_frames_at_once(tmp_path: Path) -> None:
    path = clips.clip(tmp_path / "c.mp4", clips.healthy(2), clips.black(3), clips.healthy(2))
    async with CameraRig(settings("a", path, encoding="jpeg")).running() as rig:
        await rig.ended()
    assert rig.states == ["connecting", "online", "dark", "online", "stopped"]
    assert abs(noticed_after_s(rig.frames, "dark", 2.0)) < 0.1
    assert {item.health for item in rig.frames if 2.1 < (item.media_time_s or 0) < 4.9} == {"dark"}
    rig.assert_account()


@pytest.mark.parametrize("encoding", ["jpeg", "passthrough"])
async def test_pictures_that_change_their_size_go_on_in_the_same_session_and_are_told(
    tmp_path: Path, encoding: str
) -> None:
    path = clips.of_two_sizes(tmp_path / "c.ts")
    async with CameraRig(settings("a", path, encoding=encoding)).running() as rig:
        await rig.ended()
    (change,) = rig.events.of(CameraResized)
    assert (change.before, change.now) == ("320x240", "160x120")
    assert rig.states == ["connecting", "online", "stopped"]
    assert {(item.width, item.height) for item in rig.frames if not item.corrupt} == {(320, 240), (160, 120)}
    assert len(rig.frames) == 4 * clips.FPS
    assert {item.session for item in rig.frames} == {rig.frames[0].session}
    rig.assert_account()


@pytest.mark.parametrize("encoding", ["jpeg", "passthrough"])
async def test_garbage_in_a_stream_is_damaged_frames_and_the_rest_is_whole(tmp_path: Path, encoding: str) -> None:
    path = clips.scrambled(tmp_path / "bad.mp4", clips.clip(tmp_path / "c.mp4", clips.healthy(6)))
    async with CameraRig(settings("a", path, pace="fast", encoding=encoding)).running() as rig:
        await rig.ended()
    damaged = [item.corrupt or item.gap is not None for item in rig.frames]
    assert any(damaged)
    assert damaged.count(False) > 3 * clips.FPS
    assert not damaged[-1]
    rig.assert_account()


async def test_a_camera_that_answers_with_garbage_is_offline_in_one_line_and_tried_again() -> None:
    with GarbageCamera() as garbage:
        camera = settings("a", f"rtsp://user:s3cret@127.0.0.1:{garbage.port}/x", reconnect_max_s=0.2)
        async with CameraRig(camera).running() as rig:
            await until(lambda: garbage.connections >= 3)
    assert set(rig.states) == {"connecting", "offline", "stopped"}
    details = {event.detail for event in rig.events.of(CameraChanged) if event.state == "offline"}
    assert all("\n" not in detail and "s3cret" not in detail for detail in details)


async def test_a_camera_that_floods_costs_itself_frames_and_the_others_none(
    broker: KafkaSettings, tmp_path: Path
) -> None:
    flood = make_video(tmp_path / "flood.mp4", 3000, fps=1000)
    calm = make_video(tmp_path / "calm.mp4", 100)
    async with line_on(broker) as line:
        cameras = [line.camera(settings("flood", flood, mailbox_frames=8)), line.camera(settings("calm", calm))]
        deepest = 0
        running = asyncio.gather(*(camera.run(line.stop) for camera in cameras))
        while not running.done():
            deepest = max(deepest, cameras[0].depth)
            await asyncio.sleep(0.01)
        await running
    assert deepest <= 8
    for name, count in (("flood", 3000), ("calm", 100)):
        messages = await log(broker, name)
        last = messages[-1]
        assert isinstance(last, CameraStatus)
        assert last.captured == count
        assert numbers(messages, last.session) == list(range(count))
    assert not any(isinstance(item, ShedRange) for item in messages)  # the calm one's


class GarbageCamera:
    """Answers whatever it is asked with random bytes."""

    def __init__(self) -> None:
        self.connections = 0
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._server.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._server.accept()
                self.connections += 1
                with client, suppress(OSError):
                    client.recv(4096)
                    client.sendall(bytes(range(256)) * 64)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self._server.close()
