"""One attempt at a camera, without a camera."""

import asyncio
import threading
from collections.abc import Callable

import pytest

from andon.events import CameraNoted, FrameCaptured, FrameCorrupt, FramesShed, FrameTooLarge
from andon.messages import Frame, ShedRange, new_session
from andon.pictures.picture import Bgr
from ingest.bridge import Bridge
from ingest.capture import NO_PACE, Capture, Tools
from ingest.encode import JPEG_SIDE_PX
from ingest.queue import Lossless, Message
from ingest.sources.source import Picture, SourceError
from tests.fakes import START, FakeClock, RecordedEvents
from tests.unit.ingest.fakes import Opener, ScriptedSource, bgr, camera_settings, pictures


class Rig:
    def __init__(self, source: ScriptedSource, frames: int = 1000, max_payload_bytes: int = 1_000_000) -> None:
        self.clock, self.events, self.source = FakeClock(), RecordedEvents(), source
        self.bridge = Bridge(Lossless(frames, 10_000_000, self.clock), self.clock)
        self.tools = Tools(Opener(lambda: source), self.clock, self.events, max_payload_bytes)
        self.begun: list[str] = []

    def capture(self, **settings: object) -> Capture:
        return Capture(camera_settings(**settings), self.bridge, self.tools, self.begun.append)

    def taken(self) -> list[Message]:
        taken: list[Message] = []
        while (message := self.bridge.take()) is not None:
            taken.append(message)
        return taken

    def frames(self) -> list[Frame]:
        return [item for item in self.taken() if isinstance(item, Frame)]


async def test_every_picture_of_a_file_becomes_a_numbered_frame_of_one_session() -> None:
    rig = Rig(ScriptedSource(pictures(5)))
    assert rig.capture().run() is True
    frames = rig.frames()
    assert [item.seq for item in frames] == [0, 1, 2, 3, 4]
    assert {item.session for item in frames} == {new_session(START)} == set(rig.begun)
    assert [item.media_time_s for item in frames] == pytest.approx([0, 0.04, 0.08, 0.12, 0.16])
    assert (frames[0].width, frames[0].height, frames[0].clock) == (64, 48, "file")
    assert len(rig.events.of(FrameCaptured)) == 5
    assert rig.source.closed


async def test_a_stream_that_ends_is_not_the_end_of_a_file() -> None:
    assert Rig(ScriptedSource(pictures(1), clock="camera")).capture().run() is False


async def test_pictures_beyond_the_fps_limit_get_no_number() -> None:
    rig = Rig(ScriptedSource(pictures(51)))
    rig.capture(fps=5).run()
    assert [item.seq for item in rig.frames()] == list(range(11))  # both ends of 2 s


async def test_a_damaged_picture_is_a_frame_that_says_so() -> None:
    rig = Rig(ScriptedSource([Picture(0.0, bgr, corrupt=True), Picture(0.04, None, corrupt=True)]))
    rig.capture().run()
    frames = rig.frames()
    assert [item.corrupt for item in frames] == [True, True]
    assert frames[0].payload
    assert frames[1].payload == b""
    assert len(rig.events.of(FrameCorrupt)) == 2


async def test_a_picture_larger_than_the_broker_takes_goes_without_its_pixels() -> None:
    rig = Rig(ScriptedSource(pictures(1)), max_payload_bytes=100)
    rig.capture().run()
    assert [(item.corrupt, item.payload) for item in rig.frames()] == [(True, b"")]


async def test_a_crop_outside_the_picture_begins_no_session() -> None:
    rig = Rig(ScriptedSource(pictures(1)))
    with pytest.raises(SourceError, match="roi"):
        rig.capture(roi=(0, 0, 640, 480)).run()
    assert rig.begun == []
    assert rig.source.closed


async def test_frames_that_a_live_camera_sheds_are_counted_and_numbered() -> None:
    rig = Rig(ScriptedSource(pictures(4), clock="host"), frames=2)
    rig.capture().run()
    assert [type(item) for item in rig.taken()] == [Frame, Frame, ShedRange]
    assert sum(event.count for event in rig.events.of(FramesShed)) == 2


async def test_only_a_freshest_cameras_frames_carry_an_age_limit() -> None:
    for policy, expected in (("lossless", None), ("freshest", 2.0)):
        rig = Rig(ScriptedSource(pictures(1)))
        rig.capture(policy=policy).run()
        assert [item.max_age_s for item in rig.frames()] == [expected]


async def test_a_paced_files_frames_are_dated_by_its_own_pace() -> None:
    source = ScriptedSource(pictures(3))
    rig = Rig(source)
    # The clock is always past the picture that is due, so the real wait is none.
    source._before_read = lambda: rig.clock.advance(0.05)
    rig.capture(pace="realtime").run()
    dated = [(item.captured_at - START).total_seconds() for item in rig.frames()]
    assert dated == pytest.approx([0.05, 0.09, 0.13])


async def test_a_stop_cuts_the_wait_for_the_next_picture_short() -> None:
    source = ScriptedSource([Picture(0.0, bgr), Picture(3600.0, bgr)])
    rig = Rig(source)
    capture = rig.capture(pace="realtime")
    ended = await started(capture.run)
    while not rig.bridge.total:
        await asyncio.sleep(0)
    capture.stop()
    await ended
    assert rig.bridge.total == 1


async def test_a_stop_cuts_the_wait_for_room_short() -> None:
    rig = Rig(ScriptedSource(pictures(3)), frames=1)
    ended = await started(rig.capture().run)
    while not rig.bridge.total:
        await asyncio.sleep(0)
    assert rig.bridge.close() == (new_session(START), 1)
    await ended


async def started(work: Callable[[], object]) -> "asyncio.Future[None]":
    """`work` on a thread."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()

    def run() -> None:
        work()
        loop.call_soon_threadsafe(ended.set_result, None)

    threading.Thread(target=run, daemon=True).start()
    return ended


async def test_a_picture_that_cannot_be_encoded_is_a_numbered_frame_without_pixels() -> None:
    def line_scan() -> Bgr:
        return bgr(JPEG_SIDE_PX + 1, 2)

    rig = Rig(ScriptedSource([*pictures(1), Picture(0.04, line_scan), Picture(0.08, bgr)]))
    rig.capture().run()
    frames = rig.frames()
    assert [(item.seq, item.corrupt, bool(item.payload)) for item in frames] == [
        (0, False, True),
        (1, True, False),
        (2, False, True),
    ]
    (event,) = rig.events.of(FrameTooLarge)
    assert event.frame == frames[1].frame_id
    assert "65501x2 pixels" in event.error
    assert "longest_side" in event.error


async def test_what_a_capture_delivers_after_it_was_stopped_is_not_looked_at() -> None:
    source = ScriptedSource(pictures(3))
    rig = Rig(source)
    capture = rig.capture()
    source._before_read = capture.stop
    capture.run()
    assert rig.frames() == []
    assert rig.source.closed


async def test_timestamps_that_lose_pace_are_noted_once() -> None:
    source = ScriptedSource([Picture(index / 25, bgr) for index in range(200)], "camera")
    rig = Rig(source)
    source._before_read = lambda: rig.clock.advance(0.1)
    rig.capture().run()
    assert [event.what for event in rig.events.of(CameraNoted)] == [NO_PACE]
    assert {item.clock for item in rig.frames()} == {"camera", "host"}
