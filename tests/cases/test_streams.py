"""Streams as real cameras send them: keyframes, timestamps, losses. Logins and pixels are in modules of their own."""

import asyncio
import json
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from andon.cli import main
from andon.clock import SystemClock
from andon.events import CameraChanged, CameraNoted, FrameCorrupt
from andon.messages import Frame
from andon.pictures.picture import PictureLimits
from andon.settings import CameraSettings
from andon.wire import decode as read_record
from ingest.camera import Camera
from ingest.capture import Tools
from ingest.publisher import Route
from ingest.sources.choice import open_source
from ingest.sources.source import SourceError, next_picture
from ingest.sources.timeline import CameraTimeline
from tests.cases.case import Case, rows
from tests.detectors import on_host
from tests.fakes import MemoryPublisher, RecordedEvents
from tests.integration.ingest.line import until
from tests.proven import proven
from tests.rtsp_camera import Faults, Footage, RtspCamera, film
from tests.videos import grey, number_of
from workers.decoding.stream import CameraStream, VideoRecord

pytestmark = pytest.mark.integration


def settings(url: str, **values: object) -> CameraSettings:
    return CameraSettings.model_validate({"id": "c", "url": url, **values})


@dataclass(frozen=True)
class Dating:
    """How a camera stamps its pictures, and whose clock dates the last one of `pictures`."""

    faults: Faults
    clock: str
    pictures: int = 40


@rows(
    [
        Case(
            "a camera that stamps for 25 fps and delivers 10 is dated by the host within 2 s",
            "open-nvr#229",
            Dating(Faults(fps=10, stamped_fps=25), "host"),
        ),
        Case(
            "a camera that stamps nothing is dated by the host within 2 s",
            "seen by hand",
            Dating(Faults(fps=10, timestamps="zero"), "host"),
        ),
        Case(
            "a camera that stamps half of its steps is never dated ahead",
            "seen by hand",
            Dating(Faults(fps=20, stamped_fps=10), "camera"),
        ),
        Case(
            "a camera whose stamps jump ahead by an hour keeps its own dates",
            "seen by hand",
            Dating(Faults(fps=20, timestamps="jump_ahead"), "camera"),
        ),
        Case(
            "a camera whose stamps jump back keeps its own dates",
            "seen by hand",
            Dating(Faults(fps=20, timestamps="jump_back"), "camera"),
        ),
        Case(
            "a camera with an outlier among its stamps every second keeps its own dates",
            "seen by hand",
            Dating(Faults(fps=20, timestamps="outliers"), "camera", 60),
        ),
    ]
)
def test_dates(given: Dating) -> None:
    clock = SystemClock()
    with RtspCamera(film(10), given.faults) as camera:
        source = open_source(settings(camera.url), clock)
        line, taken = CameraTimeline(source.info.fps), []
        for _ in range(given.pictures):
            picture = source.read()
            assert picture is not None
            stamp = line.place(picture.pts_s, clock)
            taken.append(stamp.captured_at)
        source.close()
    assert stamp.clock == given.clock
    assert taken == sorted(taken)
    assert abs(clock.now() - taken[-1]) < timedelta(minutes=1)


BUSY = timedelta(seconds=0.5)
"""A thread may have to wait for a processor between its looks at two clocks, so dates may go back by less than this."""
PASSED_ON = {
    "a camera whose stamps jump ahead by an hour": Faults(fps=50, timestamps="jump_ahead"),
    "a camera whose stamps jump back": Faults(fps=50, timestamps="jump_back"),
    "a camera with an outlier among its stamps every second": Faults(fps=50, timestamps="outliers"),
    "a camera whose stamps begin again at 0 after 32 bits": Faults(fps=50, timestamps="wrap"),
    "a camera that stamps two pictures alike": Faults(fps=50, timestamps="repeat"),
    "a camera that stamps nothing": Faults(fps=50, timestamps="zero"),
}


@rows([Case(f"{what} loses no picture that is passed on", "seen by hand", item) for what, item in PASSED_ON.items()])
async def test_timestamps_of_a_stream_that_is_passed_on(given: Faults) -> None:
    """Each picture has one record and one number, and time goes forward."""
    memory, stop, film_of = MemoryPublisher(), asyncio.Event(), film(10)
    with RtspCamera(film_of, given) as server:
        tools = Tools(open_source, SystemClock(), RecordedEvents(), 8_000_000)
        camera = Camera(settings(server.url, encoding="passthrough"), Route("c", "t", memory, 5.0), tools)
        running = asyncio.ensure_future(camera.run(stop))
        await until(lambda: camera.captured >= 80, 30)
        stop.set()
        await running
    messages = [read_record(record) for record in memory.topics["t"]]
    frames = [item for item in messages if isinstance(item, Frame)]
    stream = CameraStream(PictureLimits(1_000_000, 1_000_000), SystemClock())
    outcomes = [out for place, item in enumerate(frames) for out in stream.take(VideoRecord(item, place))]
    assert [str(out.error) for out in outcomes if out.error is not None] == []
    shown = [number_of(on_host(out.picture.pixels)) for out in outcomes if out.picture is not None]
    assert shown == [number % len(film_of.units) for number in range(len(frames))]
    dates = [frame.captured_at for frame in frames]
    assert all(later - earlier > -BUSY for earlier, later in pairwise(dates))
    assert max(dates) - min(dates) < timedelta(minutes=1)
    times = [frame.media_time_s or 0.0 for frame in frames]
    assert all(later > earlier for earlier, later in pairwise(times))


@dataclass(frozen=True)
class Joining:
    """A stream that is joined in the middle, how its first picture is numbered, and how many come before that."""

    footage: Footage
    faults: Faults
    first: int
    waits: bool = True


SLOW_GROUP = film(60)
LATE = Faults(fps=20, joined_at=10)


JOINED = [
    Case(
        "an H.264 stream that is joined between two keyframes begins with the next one",
        "RTSPtoWSMP4f#63",
        Joining(SLOW_GROUP, LATE, 0),
    ),
    Case(
        "an H.265 stream that is joined between two keyframes begins with the next one",
        "RTSPtoWSMP4f#63",
        Joining(film(60, "hevc"), LATE, 0),
    ),
    Case(
        "a stream whose parameter sets come with the keyframe only begins with it",
        "seen by hand",
        Joining(SLOW_GROUP, replace(LATE, parameter_sets="stream"), 0),
    ),
    Case(
        "a stream whose parameter sets stand in the description only begins with the keyframe",
        "seen by hand",
        Joining(SLOW_GROUP, replace(LATE, parameter_sets="description"), 0),
    ),
    Case(
        "a stream over UDP that is joined between two keyframes begins with the next one",
        "seen by hand",
        Joining(SLOW_GROUP, replace(LATE, transports=("udp",)), 0),
    ),
    Case(
        "a stream that refreshes its picture bit by bit begins when the picture is whole",
        "seen by hand",
        Joining(film(60, parameters="intra-refresh=1:keyint=20"), LATE, 28),
    ),
    Case(
        "a stream that begins with a keyframe begins at once",
        "seen by hand",
        Joining(SLOW_GROUP, Faults(fps=30), 0, waits=False),
    ),
]


@rows(JOINED)
def test_a_stream_that_is_joined_in_the_middle(given: Joining) -> None:
    waited: list[str] = []
    with RtspCamera(given.footage, given.faults) as camera:
        transport = given.faults.transports[0]
        decoded = settings(camera.url, encoding="jpeg", transport=transport, read_timeout_s=1.0)
        source = open_source(decoded, SystemClock())
        pictures = [next_picture(source, waited.append) for _ in range(5)]
        source.close()
    assert [picture is not None and picture.corrupt for picture in pictures] == [False] * 5
    shown = [number_of(picture.bgr()) for picture in pictures if picture is not None and picture.bgr is not None]
    assert shown == [given.first + number for number in range(5)]
    assert bool(waited) == given.waits


@rows([case for case in JOINED if case.given.waits])
def test_a_stream_that_is_joined_in_the_middle_and_passed_on(given: Joining) -> None:
    with RtspCamera(given.footage, given.faults) as camera:
        transport = given.faults.transports[0]
        source = open_source(settings(camera.url, encoding="passthrough", transport=transport), SystemClock())
        pictures = [next_picture(source) for _ in range(25)]
        source.close()
    read = [picture for picture in pictures if picture is not None]
    assert read[0].keyframe
    shown = proven(read)
    assert [number_of(pixels) for _, pixels in sorted(shown.items())][:5] == [given.first + i for i in range(5)]


def test_camera_test_waits_for_the_keyframe_and_says_so() -> None:
    with RtspCamera(SLOW_GROUP, LATE) as camera:
        done = CliRunner().invoke(main, ["camera", "test", camera.url, "--seconds", "0.3", "--json"])
    assert done.exit_code == 0
    assert done.stderr.startswith("it waits for a keyframe")
    assert done.stderr.count("\n") == 1
    assert json.loads(done.stdout)["corrupt"] == 0


async def test_a_camera_that_waits_for_its_keyframe_is_connecting_and_loses_nothing() -> None:
    events, memory, stop = RecordedEvents(), MemoryPublisher(), asyncio.Event()
    with RtspCamera(SLOW_GROUP, LATE) as server:
        tools = Tools(open_source, SystemClock(), events, 8_000_000)
        camera = Camera(settings(server.url, read_timeout_s=1.0), Route("c", "t", memory, 5.0), tools)
        running = asyncio.ensure_future(camera.run(stop))
        await until(lambda: camera.captured >= 10)
        stop.set()
        await running
    changes = [(event.state, event.detail.partition(":")[0]) for event in events.of(CameraChanged)]
    assert changes[:3] == [("connecting", ""), ("connecting", "waits for a keyframe"), ("online", "")]
    assert not events.of(FrameCorrupt)
    assert any("its first keyframe came" in event.what for event in events.of(CameraNoted))


def test_a_stream_that_never_sends_a_keyframe_is_given_up_with_the_reason() -> None:
    with RtspCamera(film(600), Faults(fps=30, joined_at=10)) as camera:
        source = open_source(settings(camera.url, keyframe_timeout_s=0.5), SystemClock())
        with pytest.raises(
            SourceError, match=r"no keyframe came within 0.5 s \(keyframe_timeout_s\): set the camera to"
        ):
            source.read()
        source.close()


def test_a_recording_that_begins_between_two_keyframes_begins_with_the_next_one(tmp_path: Path) -> None:
    path = tmp_path / "c.h264"
    path.write_bytes(
        b"".join(b"\0\0\0\1" + unit for units in [*SLOW_GROUP.units[10:], *SLOW_GROUP.units] for unit in units)
    )
    source = open_source(settings(str(path), encoding="jpeg"), SystemClock())
    pictures = list(iter(source.read, None))
    assert not any(picture.corrupt for picture in pictures)
    assert [number_of(picture.bgr()) for picture in pictures if picture.bgr is not None] == list(range(60))
    source = open_source(settings(str(path), encoding="passthrough"), SystemClock())
    shown = proven(list(iter(source.read, None)))
    assert [number_of(shown[place]) for place in range(60)] == list(range(60))


def test_camera_test_compares_timestamps_with_arrivals() -> None:
    with RtspCamera(film(10), Faults(fps=10, stamped_fps=25)) as camera:
        done = CliRunner().invoke(main, ["camera", "test", camera.url, "--seconds", "2", "--json"])
    facts = json.loads(done.stdout)
    assert facts["timestamps_pace"] < 0.6
    assert any("in 1 s: the host's clock will date its frames" in note for note in facts["notes"])


def test_camera_test_says_what_a_stream_of_rare_keyframes_is_made_of() -> None:
    """A keyframe every 5 s, of which 2.5 s without one are enough to say so."""
    with RtspCamera(film(125)) as camera:
        done = CliRunner().invoke(main, ["camera", "test", camera.url, "--seconds", "2.5", "--json"])
    facts = json.loads(done.stdout)
    assert (facts["codec"], facts["profile"], facts["b_frames"]) == ("h264", "Constrained Baseline", False)
    assert facts["keyframe_interval_s"] > 2
    assert not facts["keyframe_interval_complete"]
    (note,) = facts["notes"]
    assert note.startswith("a keyframe every ")
    assert "set the camera to a keyframe (I-frame) every 1 to 2 s" in note
    assert facts["bitrate_kbps"] > 0
    assert facts["jitter_ms"] >= 0
    assert isinstance(facts["drift_ppm"], int)
    assert facts["drift_error_ppm"] >= 0


def test_camera_test_warns_of_b_frames() -> None:
    with RtspCamera(film(20, parameters="bframes=2:b-adapt=0")) as camera:
        done = CliRunner().invoke(main, ["camera", "test", camera.url, "--seconds", "1", "--json"])
        table = CliRunner().invoke(main, ["camera", "test", camera.url, "--seconds", "0.2"])
    facts = json.loads(done.stdout)
    assert facts["b_frames"]
    assert any(note.startswith("it sends B-frames") for note in facts["notes"])
    assert "B-frames        yes\n" in table.stdout


def test_camera_test_counts_the_jumps_of_timestamps() -> None:
    with RtspCamera(film(10), Faults(timestamps="jump_ahead")) as camera:
        done = CliRunner().invoke(main, ["camera", "test", camera.url, "--seconds", "1.5", "--json"])
    facts = json.loads(done.stdout)
    assert facts["timestamps_jumps"] == 1
    assert "its timestamps jump (1 times)" in facts["notes"]  # a busy machine may find their pace wrong, too


LOST = [
    Case(f"{name} of which packets are lost shows no damaged picture as a whole one", "seen by hand", footage)
    for name, footage in (
        ("an H.264 stream", film(10)),
        ("an H.265 stream", film(10, "hevc")),
        ("an interlaced stream", film(10, interlaced=True)),
        ("a stream whose pictures have several slices", film(10, parameters="slices=4")),
        ("a stream that refreshes its picture bit by bit", film(60, parameters="intra-refresh=1:keyint=20")),
    )
]


@rows(LOST)
def test_loss(given: Footage) -> None:
    with RtspCamera(given, Faults(fps=50, lost_packet=23)) as camera:
        source = open_source(settings(camera.url, encoding="jpeg", transport="udp"), SystemClock())
        pictures = [source.read() for _ in range(100)]
        source.close()
    shown = [picture for picture in pictures if picture is not None and not picture.corrupt]
    assert 0 < len(shown) < 100
    for picture in shown:
        assert picture.bgr is not None
        if picture.pts_s is not None:
            sent = round(picture.pts_s * 50) % len(given.units)
            assert np.abs(picture.bgr()[:30].astype(np.int16) - grey(sent)).max() < 3


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@rows([case for case in LOST if "interlaced" not in case.sentence])
def test_loss_in_a_stream_that_is_passed_on(given: Footage, transport: str) -> None:
    """Over TCP as well: a camera that can't send fast enough leaves packets out."""
    with RtspCamera(given, Faults(fps=50, lost_packet=23)) as camera:
        source = open_source(settings(camera.url, encoding="passthrough", transport=transport), SystemClock())
        pictures = [picture for _ in range(100) if (picture := source.read()) is not None]
        source.close()
    assert any("RTP packets are lost on the way" in note for note in source.info.notes)
    shown = proven(pictures)
    assert 0 < len(shown) < 100
    for place, pixels in shown.items():
        pts_s = pictures[place].pts_s
        assert pts_s is not None
        assert np.abs(pixels[:30].astype(np.int16) - grey(round(pts_s * 50) % len(given.units))).max() < 3
