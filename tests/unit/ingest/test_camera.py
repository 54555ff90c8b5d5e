"""A camera's life, as its records show it."""

import asyncio
import threading
from collections.abc import Callable, Iterator

import pytest

from andon.errors import FatalError
from andon.events import CameraChanged, CameraNoted, CaptureFailed
from andon.messages import CameraStatus, Frame, Message
from andon.pictures.picture import Bgr
from andon.process.progress import Progress
from andon.process.watchdog import Watchdog
from andon.wire import decode
from ingest.boundary import ATTEMPTS, Boundary
from ingest.camera import Camera, CameraOptions
from ingest.capture import Tools
from ingest.capture_threads import MAX_HANGING
from ingest.publisher import Route
from ingest.second_way import SECOND_WAY_S, SecondWay
from ingest.sources.genicam import GenicamSource
from ingest.sources.genicam_device import GenicamPicture
from ingest.sources.source import FrameSource, NoPictureYetError, Picture, SilentError, SourceError
from ingest.sources.urls import parse
from tests.fakes import FakeClock, MemoryPublisher, RecordedEvents
from tests.unit.ingest.fakes import Opener, ScriptedSource, bgr, camera_settings, pictures
from tests.unit.ingest.test_genicam import ScriptedDevice

REFUSED = SourceError("rtsp://10.0.0.7: connection refused")


class Rig:
    """A camera over a script; each opening is a second later than the one before."""

    def __init__(
        self,
        *turns: Callable[[], FrameSource] | SourceError,
        heartbeat_s: float = 60,
        boundary: Boundary | None = None,
        second_way: SecondWay | None = None,
        **settings: object,
    ) -> None:
        self.clock, self.events = FakeClock(), RecordedEvents()
        self.memory, self.stop = MemoryPublisher(), asyncio.Event()
        self.opener = Opener(*turns)
        tools = Tools(self._open, self.clock, self.events, 1_000_000)
        route = Route("c", "t", self.memory, 5.0)
        self.progress = Progress(self.clock, Watchdog(self.clock), stalled_s=30)
        options = CameraOptions(
            heartbeat_s=heartbeat_s, boundary=boundary, progress=self.progress, second_way=second_way
        )
        self.camera = Camera(camera_settings(**settings), route, tools, options)

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
        return [event.state for event in self.events.of(CameraChanged)]

    def live(self, seconds: int) -> list[str]:
        """Let time go by; returns why the camera stands still then."""
        for _ in range(seconds):
            self.clock.advance(1)
            self.progress.check()
        return [stall.reason for stall in self.progress.stalls()]

    async def until(self, met: Callable[[], bool]) -> None:
        while not met():
            await asyncio.sleep(0)


async def test_a_finite_file_is_published_whole_and_ends_with_its_final_status() -> None:
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
    assert [event.detail for event in rig.events.of(CameraChanged)][1] == str(REFUSED)
    assert not any(item.final for item in rig.statuses)


async def test_a_camera_that_breaks_off_comes_back_in_a_new_session_after_the_final_status_of_the_old_one() -> None:
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


def broken() -> FrameSource:
    raise ZeroDivisionError("rtsp://admin:gEh31m@10.0.0.7")


async def test_an_unforeseen_error_in_the_capture_takes_down_its_camera_only() -> None:
    boundary = Boundary(["c", "another"])
    rig = Rig(broken, broken, broken, broken, lambda: ScriptedSource(pictures(3)), boundary=boundary)
    await rig.camera.run(rig.stop)
    failures = [event.error for event in rig.events.of(CaptureFailed)]
    assert len(failures) == 4
    assert all("ZeroDivisionError in test_camera.py" in error for error in failures)
    assert "gEh31m" not in repr(rig.events.all)
    assert rig.states == ["connecting", "offline", "online", "stopped"]
    assert [item.seq for item in rig.log if isinstance(item, Frame)] == [0, 1, 2]


async def test_the_process_ends_if_every_camera_fails_in_unforeseen_ways() -> None:
    with pytest.raises(ExceptionGroup) as caught:
        await Rig(broken).camera.run(asyncio.Event())
    assert caught.group_contains(FatalError, match="every camera fails .* ZeroDivisionError in test_camera.py")


def test_a_camera_that_has_ended_or_works_keeps_the_process_alive_or_does_not_count() -> None:
    boundary = Boundary(["a", "b", "c"])
    boundary.ended("c")
    for _ in range(ATTEMPTS - 1):
        boundary.failed("a", "x")
        boundary.failed("b", "x")
    boundary.worked("b")
    boundary.failed("a", "x")
    for _ in range(ATTEMPTS - 1):
        boundary.failed("b", "x")
    with pytest.raises(FatalError):
        boundary.failed("b", "x")


async def test_an_error_while_a_picture_is_encoded_leaves_no_hole_in_the_account() -> None:
    def unreadable() -> Bgr:
        raise MemoryError

    script = [*pictures(2), Picture(0.08, unreadable)]
    rig = Rig(
        lambda: ScriptedSource(script, clock="camera"),
        lambda: ScriptedSource(pictures(1), clock="file"),
        boundary=Boundary(["c", "another"]),
    )
    await rig.camera.run(rig.stop)
    finals = [item for item in rig.statuses if item.final]
    assert [(item.captured, item.state) for item in finals] == [(2, "offline"), (1, "stopped")]
    assert finals[0].detail.startswith("unforeseen error MemoryError in test_camera.py")


SECOND = Picture(0.04, bgr)


class BlockingSource:
    """Opens sources whose second `read` does not return until it is let go; then it returns or raises `second`."""

    def __init__(self, second: Picture | SourceError = SECOND) -> None:
        self._second = second
        self.let_go = threading.Event()
        self.reads = 0
        """Reads that have blocking. Their time limit runs: it begins before the read."""

    def __call__(self) -> FrameSource:
        return ScriptedSource(self._script(), clock="camera")

    def _script(self) -> Iterator[Picture | SourceError]:
        yield Picture(0.0, bgr)
        self.reads += 1
        self.let_go.wait()
        yield self._second


async def test_a_capture_that_hangs_is_offline_with_the_reason_and_tried_again_on_another_thread() -> None:
    blocking = BlockingSource()
    rig = Rig(blocking, lambda: ScriptedSource(pictures(2)), heartbeat_s=0.001)
    running = asyncio.ensure_future(rig.camera.run(rig.stop))
    await rig.until(lambda: rig.camera.state == "online" and blocking.reads == 1)
    rig.clock.advance(16)  # read_timeout_s + hang_grace_s are 15
    await rig.until(running.done)
    await running
    blocking.let_go.set()
    details = [event.detail for event in rig.events.of(CameraChanged) if event.state == "offline"]
    assert details == [
        "reading a picture has not returned for 15 s (read_timeout_s + hang_grace_s): its thread is left behind"
    ]
    finals = [(item.captured, item.state) for item in rig.statuses if item.final]
    assert finals == [(1, "offline"), (2, "stopped")]


async def test_a_call_into_an_industrial_cameras_library_that_hangs_takes_down_that_camera_only() -> None:
    hangs, let_go = threading.Event(), threading.Event()

    class HangingDevice(ScriptedDevice):
        def take(self, timeout_s: float) -> GenicamPicture | None:
            hangs.set()
            let_go.wait()
            return None

    rig = Rig(
        lambda: GenicamSource(parse("gige:7"), rig.camera.settings, rig.clock, HangingDevice([], rig.clock)),
        lambda: ScriptedSource(pictures(2)),
        heartbeat_s=0.001,
        url="gige:7",
    )
    running = asyncio.ensure_future(rig.camera.run(rig.stop))
    await rig.until(hangs.is_set)
    rig.clock.advance(16)  # read_timeout_s + hang_grace_s are 15
    await rig.until(running.done)
    await running
    let_go.set()
    details = [event.detail for event in rig.events.of(CameraChanged) if event.state == "offline"]
    assert details == [
        "reading a picture has not returned for 15 s (read_timeout_s + hang_grace_s): its thread is left behind"
    ]
    assert rig.camera.captured == 2


async def test_a_triggered_camera_is_connecting_until_its_first_trigger_and_online_between_two() -> None:
    triggered = threading.Event()

    def script() -> Iterator[Picture | NoPictureYetError]:
        while not triggered.is_set():
            yield NoPictureYetError("waits for its trigger (Line1)")
        yield Picture(0.0, bgr)
        while not rig.stop.is_set():
            yield NoPictureYetError("waits for its trigger (Line1)")

    rig = Rig(lambda: ScriptedSource(script()), url="gige:7", genicam={"trigger": "Line1"})
    running = asyncio.ensure_future(rig.camera.run(rig.stop))
    await rig.until(lambda: len(rig.states) == 2 or running.done())
    assert rig.live(40) == []  # 30 s without progress are a stall of any other camera
    triggered.set()
    await rig.until(lambda: rig.camera.state == "online" and any(isinstance(item, Frame) for item in rig.log))
    await rig.until(lambda: rig.camera.depth == 0)
    assert rig.live(40) == []
    assert rig.camera.state == "online"
    rig.stop.set()
    await running
    details = [(event.state, event.detail) for event in rig.events.of(CameraChanged)]
    assert details[:3] == [("connecting", ""), ("connecting", "waits for its trigger (Line1)"), ("online", "")]
    assert rig.camera.captured == 1


async def test_a_camera_whose_threads_all_hang_is_tried_again_only_when_one_returns() -> None:
    blocking = BlockingSource()
    rig = Rig(blocking, heartbeat_s=0.001)
    running = asyncio.ensure_future(rig.camera.run(rig.stop))
    for attempt in range(1, MAX_HANGING + 1):
        await rig.until(lambda: rig.camera.state == "online" and blocking.reads == attempt)  # noqa: B023  # awaited here
        rig.clock.advance(16)
        await rig.until(lambda: rig.camera.state == "offline")
    assert "2 of them hang now" in [event.detail for event in rig.events.of(CameraChanged)][-1]
    await asyncio.sleep(0.05)  # the longest delay between two attempts is 0.01 s
    assert rig.opener.calls == MAX_HANGING
    blocking.let_go.set()
    await rig.until(lambda: rig.opener.calls > MAX_HANGING)
    rig.stop.set()
    await running


async def test_a_stop_does_not_wait_for_a_capture_that_hangs() -> None:
    blocking = BlockingSource()
    rig = Rig(blocking)
    running = asyncio.ensure_future(rig.camera.run(rig.stop))
    await rig.until(lambda: rig.camera.state == "online" and blocking.reads == 1)
    rig.stop.set()
    await running
    blocking.let_go.set()
    assert [(item.captured, item.state) for item in rig.statuses if item.final] == [(1, "stopped")]


async def test_a_slow_camera_that_was_lost_between_two_pictures_may_take_longer_from_then_on() -> None:
    slow = BlockingSource(SilentError("no picture for 5 s"))
    rig = Rig(slow, lambda: ScriptedSource(pictures(1)), heartbeat_s=0.001, read_timeout_s=5)
    running = asyncio.ensure_future(rig.camera.run(rig.stop))
    await rig.until(lambda: rig.camera.state == "online" and slow.reads == 1)
    rig.clock.advance(5.1)
    slow.let_go.set()
    await running
    assert [camera.read_timeout_s for camera in rig.opener.cameras] == [5, 20]
    assert [event.what for event in rig.events.of(CameraNoted)] == [
        "it sends a picture less often than read_timeout_s allows: 20 s from now on"
    ]


def endless(count: int = 3) -> Callable[[], FrameSource]:
    """A camera that delivers some pictures and then none, until its process ends."""

    def script() -> Iterator[Picture]:
        yield from pictures(count)
        threading.Event().wait()

    return lambda: ScriptedSource(script(), clock="camera")


async def test_a_camera_whose_frames_are_not_acknowledged_is_stalled_and_says_so_in_its_status() -> None:
    second_way = HeartbeatsInMemory()
    rig = Rig(endless(), heartbeat_s=0.001, second_way=second_way, read_timeout_s=3600)
    rig.memory.away = True
    running = asyncio.ensure_future(rig.camera.run(rig.stop))
    await rig.until(lambda: rig.camera.captured == 3 and rig.camera.depth == 3)
    assert rig.live(30) == []
    assert rig.live(2) == ["3 frames wait for the broker"]
    assert rig.camera.stalled_s > 30
    await rig.until(lambda: bool(rig.live(1)) and any(status.stalled for status in second_way.sent))
    assert second_way.sent[-1].stalled == "3 frames wait for the broker"
    rig.memory.away = False
    await rig.until(lambda: rig.camera.depth == 0)
    assert rig.live(1) == []
    await rig.until(lambda: rig.statuses[-1].stalled == "")
    rig.stop.set()
    await running


async def test_heartbeats_go_the_second_way_only_while_nothing_is_acknowledged() -> None:
    second_way = HeartbeatsInMemory()
    rig = Rig(endless(), heartbeat_s=0.001, second_way=second_way, read_timeout_s=3600)
    running = asyncio.ensure_future(rig.camera.run(rig.stop))
    for second in range(int(3 * SECOND_WAY_S)):
        rig.clock.advance(1)
        await rig.until(lambda: len(rig.statuses) > 5 * second)  # noqa: B023  # awaited here
    assert not second_way.sent
    rig.stop.set()
    await running


async def test_a_camera_that_delivers_nothing_is_stalled_with_its_own_reason() -> None:
    rig = Rig(endless(0), heartbeat_s=60, read_timeout_s=3600)
    running = asyncio.ensure_future(rig.camera.run(rig.stop))
    await rig.until(lambda: rig.camera.state == "connecting")
    assert rig.live(32) == ["the camera is connecting"]
    rig.stop.set()
    await running
    assert rig.live(100) == []


async def test_a_camera_that_is_away_is_stalled_with_its_own_reason() -> None:
    rig = Rig(REFUSED, reconnect_max_s=3600)
    running = asyncio.ensure_future(rig.camera.run(rig.stop))
    await rig.until(lambda: rig.camera.state == "offline")
    assert rig.live(32) == [f"the camera is offline: {REFUSED}"]
    rig.stop.set()
    await running


async def test_a_file_that_has_ended_is_not_stalled() -> None:
    rig = Rig(lambda: ScriptedSource(pictures(5)))
    await rig.camera.run(rig.stop)
    assert rig.live(3600) == []
    assert not rig.statuses[-1].stalled


async def test_a_slow_camera_may_stand_still_for_ten_of_its_intervals() -> None:
    rig = Rig(endless(), heartbeat_s=60, fps=0.1, read_timeout_s=3600)
    running = asyncio.ensure_future(rig.camera.run(rig.stop))
    await rig.until(lambda: rig.camera.state == "online")
    assert rig.live(95) == []
    assert rig.live(10) != []
    rig.stop.set()
    await running


class HeartbeatsInMemory(SecondWay):
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.sent: list[CameraStatus] = []

    def send(self, status: CameraStatus) -> None:
        self.sent.append(status)
