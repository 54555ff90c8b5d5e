"""Streams as real cameras send them: logins, urls, keyframes, timestamps, fields, orientation."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from andon.cli import main
from andon.clock import SystemClock
from andon.events import CameraChanged, CameraNoted, FrameCorrupt
from andon.messages import Frame
from andon.settings import CameraSettings
from andon.wire import decode
from ingest.camera import Camera
from ingest.capture import Tools
from ingest.publisher import Route
from ingest.sources.choice import open_source
from ingest.sources.source import SourceError, next_picture
from ingest.sources.timeline import CameraTimeline
from tests.cases.case import Case, rows
from tests.fakes import MemoryPublisher, RecordedEvents
from tests.integration.ingest.line import until
from tests.rtsp_camera import Faults, Footage, RtspCamera, film
from tests.rtsp_camera.login import PASSWORD
from tests.videos import grey, number_of

pytestmark = pytest.mark.integration


def settings(url: str, **values: object) -> CameraSettings:
    return CameraSettings.model_validate({"id": "c", "url": url, **values})


@dataclass(frozen=True)
class Login:
    """What is said by a camera that is opened at the address that `address` makes of it; None: its pictures come."""

    faults: Faults
    says: str | None
    address: Callable[[RtspCamera], str] = field(default=lambda camera: camera.url)


def raw(password: str) -> Callable[[RtspCamera], str]:
    return lambda camera: camera.address(f"admin:{password}@")


ENCODE = "percent-encode user and password in the url: / is %2F, # is %23, ? is %3F, [ is %5B, ] is %5D, @ is %40"


@rows(
    [
        Case(
            "a camera that only knows digest with SHA-256 is said to want it, not to refuse the password",
            "go2rtc#2344",
            Login(Faults(login="digest-sha256"), "by digest with SHA-256, and only MD5 is supported"),
        ),
        Case(
            "a camera that names MD5 first and SHA-256 second is said to want SHA-256, which FFmpeg answers",
            "RFC 7616, 3.7",
            Login(Faults(login="digest-md5-sha256"), "by digest with SHA-256"),
        ),
        Case(
            "a camera that names SHA-256 first and MD5 second is opened",
            "RFC 7616, 3.7",
            Login(Faults(login="digest-sha256-md5"), None),
        ),
        Case(
            "a camera that wants its messages signed is said to want qop=auth-int",
            "RFC 7616, 3.4",
            Login(Faults(login="digest-auth-int"), "with qop=auth-int, and only qop=auth is supported"),
        ),
        Case(
            "a camera that wants a token is said to want one",
            "seen by hand",
            Login(Faults(login="bearer"), "a login by 'bearer', which is not supported"),
        ),
        Case(
            "a wrong password is said to be wrong",
            "seen by hand",
            Login(Faults(login="digest-md5"), "check user and password", raw("wrong")),
        ),
        Case(
            "a url without a login is said to need one",
            "seen by hand",
            Login(Faults(login="digest-md5"), "put user:password@ in front", lambda camera: camera.address("")),
        ),
        Case(
            "a password with every mark in it opens the camera by Basic once it is percent-encoded",
            "mediamtx#2069",
            Login(Faults(login="basic"), None),
        ),
        Case(
            "a password with every mark in it opens the camera by digest once it is percent-encoded",
            "mediamtx#2069",
            Login(Faults(login="digest-md5"), None),
        ),
        *(
            Case(
                f"a raw {mark} in a password is said to need percent-encoding",
                "mediamtx#2069",
                Login(Faults(login="digest-md5"), ENCODE, raw(f"se{mark}cret")),
            )
            for mark in "/#?[]"
        ),
        *(
            Case(
                f"a raw {mark} between digits of a password, which look like a port, is said to need percent-encoding",
                "mediamtx#2069",
                Login(Faults(login="digest-md5"), ENCODE, raw(f"12{mark}34")),
            )
            for mark in "/#?"
        ),
        Case(
            "a raw percent sign in a password that reads as an escape is said to need percent-encoding",
            "seen by hand",
            Login(Faults(login="digest-md5"), "percent-encode user and password", raw("50%41")),
        ),
        Case(
            "a camera that serves too many clients is not said to have a wrong path only",
            "seen by hand",
            Login(Faults(refusal="453 Not Enough Bandwidth"), "how many clients it has"),
        ),
        Case(
            "a camera whose codec nobody here can decode is said to have one",
            "seen by hand",
            Login(Faults(announced="H266"), "has a codec that FFmpeg can't decode: set it to H.264 or H.265"),
        ),
    ]
)
def test_login(given: Login) -> None:
    with RtspCamera(film(10), given.faults) as camera:
        url = given.address(camera)
        if given.says is None:
            source = open_source(settings(url), SystemClock())
            assert source.read() is not None
            source.close()
            return
        with pytest.raises(SourceError) as caught:
            open_source(settings(url, open_timeout_s=2.0), SystemClock())
    assert given.says in str(caught.value)
    assert "\n" not in str(caught.value)
    assert PASSWORD not in str(caught.value)


@rows(
    [
        Case(f"a raw {mark} in a password is read as a part of it", "mediamtx#2069", mark)
        for mark in ("@", ":", "&", "=", "+", "!", ";", ",", "%", "$", "~")
    ]
)
def test_a_mark_that_is_no_trouble(given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.rtsp_camera.login.PASSWORD", f"se{given}cret")
    with RtspCamera(film(10), Faults(login="digest-md5")) as camera:
        source = open_source(settings(raw(f"se{given}cret")(camera)), SystemClock())
        assert source.read() is not None
        source.close()


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


@dataclass(frozen=True)
class Joining:
    """A stream that is joined in the middle, how its first picture is numbered, and how many come before that."""

    footage: Footage
    faults: Faults
    first: int
    waits: bool = True


SLOW_GROUP = film(60)
LATE = Faults(fps=20, joined_at=10)


@rows(
    [
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
)
def test_a_stream_that_is_joined_in_the_middle(given: Joining) -> None:
    waited: list[str] = []
    with RtspCamera(given.footage, given.faults) as camera:
        transport = given.faults.transports[0]
        source = open_source(settings(camera.url, transport=transport, read_timeout_s=1.0), SystemClock())
        pictures = [next_picture(source, waited.append) for _ in range(5)]
        source.close()
    assert [picture is not None and picture.corrupt for picture in pictures] == [False] * 5
    shown = [number_of(picture.bgr()) for picture in pictures if picture is not None and picture.bgr is not None]
    assert shown == [given.first + number for number in range(5)]
    assert bool(waited) == given.waits


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
        await until(lambda: camera.captured >= 10, 20)
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
    source = open_source(settings(str(path)), SystemClock())
    pictures = list(iter(source.read, None))
    assert not any(picture.corrupt for picture in pictures)
    assert [number_of(picture.bgr()) for picture in pictures if picture.bgr is not None] == list(range(60))


@dataclass(frozen=True)
class Meaning:
    """A stream that says something of its pixels, and what `andon camera test` says of them."""

    footage: Footage
    pixels: dict[str, object]
    note: str
    seconds: float = 0.2


@rows(
    [
        Case(
            "an interlaced camera is deinterlaced, and that is said",
            "FFMS/ffms2#83",
            Meaning(film(20, interlaced=True), {"fields": "top field first"}, "deinterlaced"),
        ),
        Case(
            "an interlaced camera whose lower field comes first is deinterlaced, and that is said",
            "ofxBlackmagic#9",
            Meaning(film(20, parameters="bff=1"), {"fields": "bottom field first"}, "deinterlaced"),
        ),
        Case(
            "a camera that hangs on its left side is shown upright, and that is said",
            "yolov5#405",
            Meaning(film(20, turned=90), {"turned_degrees": 90}, "turned by 90 degrees clockwise"),
        ),
        Case(
            "a camera that hangs upside down is shown upright, and that is said",
            "yolov5#405",
            Meaning(film(20, turned=180), {"turned_degrees": 180}, "turned by 180 degrees clockwise"),
        ),
        Case(
            "a camera with pixels that are not square says so",
            "seen by hand",
            Meaning(film(20, parameters="sar=16/11"), {"sample_aspect": "16:11"}, "not square (16:11)"),
        ),
        Case(
            "a camera of full range says so",
            "seen by hand",
            Meaning(film(20, parameters="fullrange=on:colormatrix=bt709"), {"levels": "full", "matrix": "bt709"}, ""),
        ),
        Case(
            "a camera of limited range says so",
            "seen by hand",
            Meaning(film(20, parameters="fullrange=off:colormatrix=smpte170m"), {"matrix": "bt601", "bits": 8}, ""),
        ),
        Case(
            "a camera of 10 bits says so",
            "seen by hand",
            Meaning(film(20, "hevc", pixels="yuv420p10le"), {"bits": 10, "format": "yuv420p10le"}, ""),
        ),
        Case(
            "a camera of HDR says so",
            "seen by hand",
            Meaning(film(20, parameters="transfer=smpte2084"), {"transfer": "pq"}, "those of HDR video (pq)"),
        ),
        Case(
            "a camera with a keyframe every 3 s is said to have too few",
            "RTSPtoWSMP4f#63",
            Meaning(film(75), {}, "a keyframe every", seconds=2.2),
        ),
    ]
)
def test_meaning(given: Meaning) -> None:
    with RtspCamera(given.footage) as camera:
        done = CliRunner().invoke(main, ["camera", "test", camera.url, "--seconds", str(given.seconds), "--json"])
        table = CliRunner().invoke(main, ["camera", "test", camera.url, "--seconds", "0.2"])
    facts = json.loads(done.stdout)
    assert {name: facts["pixels"][name] for name in given.pixels} == given.pixels
    assert any(given.note in note for note in facts["notes"]) if given.note else facts["notes"] == []
    assert all(str(value) in table.stdout for value in given.pixels.values())


def test_a_stream_that_becomes_interlaced_is_deinterlaced_from_there_on_and_says_so(tmp_path: Path) -> None:
    units = [*film(10).units, *film(10, interlaced=True).units]
    path = tmp_path / "c.h264"
    path.write_bytes(b"".join(b"\0\0\0\1" + unit for picture in units for unit in picture))
    source = open_source(settings(str(path)), SystemClock())
    pictures = list(iter(source.read, None))
    assert len(pictures) == 20
    assert [note.partition(",")[0] for note in source.info.notes] == ["interlaced"]


def test_camera_test_compares_timestamps_with_arrivals() -> None:
    with RtspCamera(film(10), Faults(fps=10, stamped_fps=25)) as camera:
        done = CliRunner().invoke(main, ["camera", "test", camera.url, "--seconds", "2", "--json"])
    facts = json.loads(done.stdout)
    assert facts["timestamps_pace"] < 0.6
    assert any("in 1 s: the host's clock will date its frames" in note for note in facts["notes"])


def test_camera_test_counts_the_jumps_of_timestamps() -> None:
    with RtspCamera(film(10), Faults(timestamps="jump_ahead")) as camera:
        done = CliRunner().invoke(main, ["camera", "test", camera.url, "--seconds", "1.5", "--json"])
    facts = json.loads(done.stdout)
    assert facts["timestamps_jumps"] == 1
    assert facts["notes"] == ["its timestamps jump (1 times)"]


async def test_an_interlaced_camera_is_deinterlaced_in_the_line_and_its_note_is_an_event() -> None:
    events, memory, stop = RecordedEvents(), MemoryPublisher(), asyncio.Event()
    with RtspCamera(film(20, interlaced=True)) as server:
        tools = Tools(open_source, SystemClock(), events, 8_000_000)
        camera = Camera(settings(server.url), Route("c", "t", memory, 5.0), tools)
        running = asyncio.ensure_future(camera.run(stop))
        await until(lambda: camera.captured >= 10, 20)
        stop.set()
        await running
    assert [event.what.partition(":")[0] for event in events.of(CameraNoted)] == ["interlaced, top field first"]
    frames = [message for message in map(decode, memory.topics["t"]) if isinstance(message, Frame)]
    for frame in frames:
        picture = cv2.imdecode(np.frombuffer(frame.payload, np.uint8), cv2.IMREAD_GRAYSCALE)
        assert picture is not None
        luma = picture[42:78].astype(np.int16)
        assert np.abs(luma[1:-1] - (luma[:-2] + luma[2:]) / 2).mean() < 3


@rows(
    [
        Case(f"{name} of which packets are lost shows no damaged picture as a whole one", "seen by hand", footage)
        for name, footage in (
            ("an H.264 stream", film(10)),
            ("an H.265 stream", film(10, "hevc")),
            ("an interlaced stream", film(10, interlaced=True)),
            ("a stream whose pictures have several slices", film(10, parameters="slices=4")),
            ("a stream that refreshes its picture bit by bit", film(60, parameters="intra-refresh=1:keyint=20")),
        )
    ]
)
def test_loss(given: Footage) -> None:
    with RtspCamera(given, Faults(fps=50, lost_packet=23)) as camera:
        source = open_source(settings(camera.url, transport="udp"), SystemClock())
        pictures = [source.read() for _ in range(100)]
        source.close()
    told = [picture for picture in pictures if picture is not None and not picture.corrupt]
    assert 0 < len(told) < 100
    for picture in told:
        assert picture.bgr is not None
        if picture.pts_s is not None:
            sent = round(picture.pts_s * 50) % len(given.units)
            assert np.abs(picture.bgr()[:30].astype(np.int16) - grey(sent)).max() < 3
