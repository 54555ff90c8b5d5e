"""A camera's life, told by what it publishes."""

import asyncio
import threading
from collections.abc import Callable, Iterator

import pytest

from andon.events import CameraChanged
from andon.messages import CameraStatus, Frame, Message
from andon.wire import decode
from ingest.camera import Camera
from ingest.capture import Tools
from ingest.publisher import Route
from ingest.source import FrameSource, Picture
from ingest.urls import SourceError
from tests.fakes import FakeClock, MemoryPublisher, Told
from tests.unit.ingest.fakes import Opener, ScriptedSource, bgr, camera_settings, pictures

REFUSED = SourceError("rtsp://10.0.0.7: connection refused")


class Rig:
    """A camera over a script; each opening is a second later than the one before."""

    def __init__(self, *turns: Callable[[], FrameSource] | SourceError, heartbeat_s: float = 60, **settings: object):
        self.clock, self.told, self.memory, self.stop = FakeClock(), Told(), MemoryPublisher(), asyncio.Event()
        self.opener = Opener(*turns)
        tools = Tools(self._open, self.clock, self.told, 1_000_000)
        route = Route("c", "t", self.memory, 5.0)
        self.camera = Camera(camera_settings(**settings), route, tools, heartbeat_s)

    def _open(self, *arguments: object) -> FrameSource:
        self.clock.advance(1)
        return self.opener(*arguments)  # type: ignore[arg-type]  # the arguments of an opener

    @property
    def log(self) -> list[Message]:
        return [decode(record) for record in self.memory.topics.get("t", [])]

    @property
    def statuses(self) -> list[CameraStatus]:
        return [item for item in self.log if isinstance(item, CameraStatus)]

    @property
    def states(self) -> list[str]:
        return [event.state for event in self.told.of(CameraChanged)]

    async def until(self, met: Callable[[], bool]) -> None:
        while not met():
            await asyncio.sleep(0)


async def test_a_finite_file_is_published_whole_and_ends_with_its_last_word() -> None:
    rig = Rig(lambda: ScriptedSource(pictures(5)))
    await rig.camera.run(rig.stop)
    assert [item.seq for item in rig.log if isinstance(item, Frame)] == [0, 1, 2, 3, 4]
    last = rig.log[-1]
    assert isinstance(last, CameraStatus)
    assert (last.final, last.captured, last.state, last.detail) == (True, 5, "stopped", "the end of the file")
    assert rig.states == ["connecting", "online", "stopped"]


async def test_a_camera_that_is_away_is_tried_for_ever_and_said_once() -> None:
    rig = Rig(REFUSED)
    running = asyncio.ensure_future(rig.camera.run(rig.stop))
    await rig.until(lambda: rig.opener.calls >= 5)
    rig.stop.set()
    await running
    assert rig.states == ["connecting", "offline", "stopped"]
    assert [event.detail for event in rig.told.of(CameraChanged)][1] == str(REFUSED)
    assert not any(item.final for item in rig.statuses)


async def test_a_camera_that_breaks_off_comes_back_in_a_new_session_after_the_last_word_of_the_old_one() -> None:
    rig = Rig(
        lambda: ScriptedSource([*pictures(3), SourceError("broke off")], clock="camera"),
        lambda: ScriptedSource(pictures(2), clock="camera"),
        REFUSED,
    )
    running = asyncio.ensure_future(rig.camera.run(rig.stop))
    await rig.until(lambda: rig.opener.calls >= 4)
    rig.stop.set()
    await running
    finals = [item for item in rig.statuses if item.final]
    assert [(item.captured, item.state, item.detail) for item in finals] == [
        (3, "offline", "broke off"),
        (2, "offline", "the stream ended"),
    ]
    assert len({item.session for item in finals}) == 2
    frames_of = [
        [item.seq for item in rig.log if isinstance(item, Frame) and item.session == f.session] for f in finals
    ]
    assert frames_of == [[0, 1, 2], [0, 1]]
    for final in finals:
        after = rig.log[rig.log.index(final) + 1 :]
        assert not any(isinstance(item, Frame | CameraStatus) and item.session == final.session for item in after)
    assert rig.states == ["connecting", "online", "offline", "online", "offline", "offline", "stopped"]


async def test_a_stop_ends_an_endless_camera_and_drains_it() -> None:
    rig = Rig(lambda: ScriptedSource((Picture(i / 25, bgr) for i in range(10**9)), clock="file"), mailbox_frames=4)
    running = asyncio.ensure_future(rig.camera.run(rig.stop))
    await rig.until(lambda: rig.camera.state == "online")
    rig.stop.set()
    await running
    last = rig.statuses[-1]
    assert last.final
    assert last.state == "stopped"
    assert [item.seq for item in rig.log if isinstance(item, Frame)] == list(range(last.captured))
    assert rig.camera.depth == 0


async def test_a_stop_while_a_camera_is_away_ends_at_once() -> None:
    rig = Rig(REFUSED, reconnect_max_s=3600)
    running = asyncio.ensure_future(rig.camera.run(rig.stop))
    await rig.until(lambda: rig.camera.state == "offline")
    rig.stop.set()
    await running
    assert rig.statuses[-1].state == "stopped"


async def test_a_heartbeat_carries_the_number_captured_so_far() -> None:
    go_on = threading.Event()

    def script() -> Iterator[Picture]:
        yield from pictures(3)
        go_on.wait()

    rig = Rig(lambda: ScriptedSource(script()), heartbeat_s=0.001)
    running = asyncio.ensure_future(rig.camera.run(rig.stop))
    await rig.until(lambda: any(item.captured == 3 and not item.final for item in rig.statuses))
    go_on.set()
    await running


async def test_a_bug_in_the_capture_is_no_camera_that_is_away() -> None:
    def broken() -> FrameSource:
        raise ZeroDivisionError

    with pytest.raises(ExceptionGroup) as caught:
        await Rig(broken).camera.run(asyncio.Event())
    assert caught.group_contains(ZeroDivisionError)
