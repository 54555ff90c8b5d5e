"""Cameras that send JPEG: their very bytes go on, from the file to the frame."""

import asyncio
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from andon.clock import SystemClock
from andon.messages import Frame, ImageHealth
from andon.pictures.health.judgement import UsualSharpness
from andon.pictures.health.monitor import HealthMonitor
from andon.pictures.picture import Bgr
from andon.settings import CameraSettings, HealthSettings
from ingest.bridge import Bridge
from ingest.capture import Capture, Tools
from ingest.probe import probe
from ingest.queue import Lossless
from ingest.sources.choice import open_source
from tests.fakes import FakeClock, RecordedEvents
from tests.unit.ingest.fakes import camera_settings
from tests.unit.ingest.jpegs import grey_jpeg, jpeg, make_mjpeg, with_orientation, without_tables
from tests.videos import SIZE, number_of

PICTURES = [grey_jpeg(number) for number in range(10)]


class Line:
    """One camera's capture, and what it is called unhealthy for."""

    def __init__(self, path: Path, *, watched: bool = False, **settings: object) -> None:
        self.changes: list[ImageHealth | None] = []
        self.events = RecordedEvents()
        camera = camera_settings(url=str(path), image_fps=25, **settings)
        monitor = (
            HealthMonitor(HealthSettings(), UsualSharpness(60), self.changes.append, lambda *_: None)
            if watched
            else None
        )
        self.frames = asyncio.run(self._captured(camera, monitor))

    async def _captured(self, camera: CameraSettings, monitor: HealthMonitor | None) -> list[Frame]:
        clock = FakeClock()
        bridge = Bridge(Lossless(1000, 10_000_000, clock), clock)
        tools = Tools(open_source, clock, self.events, 1_000_000)
        Capture(camera, bridge, tools, lambda _: None, monitor).run()
        taken = iter(bridge.take, None)
        return [message for message in taken if isinstance(message, Frame)]

    def payloads(self) -> list[bytes]:
        return [frame.payload for frame in self.frames]


def pixels(payload: bytes) -> Bgr:
    decoded = cv2.imdecode(np.frombuffer(payload, np.uint8), cv2.IMREAD_COLOR)
    assert decoded is not None
    return np.asarray(decoded, np.uint8)


@pytest.mark.parametrize("name", ["clip.avi", "clip.mkv"])
def test_a_motion_jpeg_cameras_packets_are_its_frames(tmp_path: Path, name: str) -> None:
    line = Line(make_mjpeg(tmp_path / name, PICTURES), watched=True, longest_side=160)
    assert line.payloads() == PICTURES
    assert [frame.seq for frame in line.frames] == list(range(10))
    assert {(frame.width, frame.height, frame.content_type, frame.corrupt) for frame in line.frames} == {
        (*SIZE, "image/jpeg", False)
    }


def test_a_folders_jpegs_are_its_frames_and_its_other_images_are_encoded(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(PICTURES[0])
    cv2.imwrite(str(tmp_path / "b.png"), pixels(PICTURES[1]))
    (tmp_path / "c.jpeg").write_bytes(grey_jpeg(2, (64, 48)))
    (tmp_path / "d.jpg").write_bytes(with_orientation(PICTURES[3], 6))
    line = Line(tmp_path, watched=True)
    assert [line.payloads()[number] for number in (0, 2)] == [PICTURES[0], grey_jpeg(2, (64, 48))]
    assert [number_of(pixels(payload)) for payload in line.payloads()] == [0, 1, 2, 3]
    assert [(frame.width, frame.height) for frame in line.frames] == [(160, 120), (160, 120), (64, 48), (120, 160)]


@pytest.mark.parametrize(
    ("settings", "size"), [({"roi": (8, 8, 80, 40)}, (80, 40)), ({"longest_side": 80}, (80, 60))], ids=["roi", "shrunk"]
)
@pytest.mark.parametrize("kind", ["clip.avi", "folder"])
def test_a_change_of_the_picture_that_the_settings_ask_for_is_made(
    tmp_path: Path, kind: str, settings: dict[str, Any], size: tuple[int, int]
) -> None:
    path = tmp_path
    if kind == "folder":
        (tmp_path / "a.jpg").write_bytes(PICTURES[0])
    else:
        path = make_mjpeg(tmp_path / kind, PICTURES)
    frame = Line(path, **settings).frames[0]
    assert (frame.width, frame.height) == size
    assert pixels(frame.payload).shape == (size[1], size[0], 3)


def test_timestamps_are_those_of_the_decoded_stream(tmp_path: Path) -> None:
    path = make_mjpeg(tmp_path / "clip.mkv", PICTURES)
    passed, decoded = Line(path).frames, Line(path, longest_side=80).frames
    assert [frame.media_time_s for frame in passed] == [frame.media_time_s for frame in decoded]


def test_packets_without_huffman_tables_are_encoded_anew_in_their_order(tmp_path: Path) -> None:
    mixed = [without_tables(payload) if number % 3 == 1 else payload for number, payload in enumerate(PICTURES)]
    line = Line(make_mjpeg(tmp_path / "clip.avi", mixed))
    assert [number_of(pixels(payload)) for payload in line.payloads()] == list(range(10))
    assert [payload in PICTURES for payload in line.payloads()] == [number % 3 != 1 for number in range(10)]


def test_a_stream_that_changes_its_size_tells_the_new_one(tmp_path: Path) -> None:
    payloads = [*PICTURES[:3], *(grey_jpeg(number, (80, 60)) for number in (3, 4, 5))]
    frames = Line(make_mjpeg(tmp_path / "clip.mkv", payloads)).frames
    assert [(frame.width, frame.height) for frame in frames] == [SIZE] * 3 + [(80, 60)] * 3
    assert [number_of(pixels(frame.payload)) for frame in frames] == [0, 1, 2, 3, 4, 5]
    assert frames[5].payload == payloads[5]


def test_a_damaged_picture_keeps_its_number_and_spoils_no_other(tmp_path: Path) -> None:
    truncated = PICTURES[4][:-40]
    payloads = [*PICTURES[:2], b"no picture" * 20, PICTURES[3], truncated, *PICTURES[5:]]
    frames = Line(make_mjpeg(tmp_path / "clip.avi", payloads)).frames
    assert [frame.seq for frame in frames] == list(range(10))
    assert [frame.seq for frame in frames if frame.corrupt] == [2]
    assert frames[4].payload == truncated  # whoever decodes it sees what is missing
    assert [frame.payload for frame in frames[5:]] == PICTURES[5:]


def test_a_picture_larger_than_the_broker_takes_goes_without_pixels(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (1200, 1600, 3), np.uint8)
    (tmp_path / "a.jpg").write_bytes(jpeg(noise, cv2.IMWRITE_JPEG_QUALITY, 100))
    frame = Line(tmp_path).frames[0]
    assert (frame.corrupt, frame.payload, frame.width) == (True, b"", 1600)
    assert frame.too_large is not None
    assert " bytes, kafka.max_record_bytes is 1000000: raise it" in frame.too_large


@pytest.mark.parametrize(("level", "expected"), [(0, "dark"), (90, "frozen"), (255, "overexposed")])
def test_the_health_of_a_motion_jpeg_camera_is_seen(tmp_path: Path, level: int, expected: ImageHealth) -> None:
    same = jpeg(np.full((SIZE[1], SIZE[0], 3), level, np.uint8))
    line = Line(make_mjpeg(tmp_path / "clip.mkv", [same] * 80), watched=True)
    assert line.changes == [expected]
    assert line.payloads() == [same] * 80


def test_a_single_dark_picture_says_so_itself(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(0, 255, (10, SIZE[1], SIZE[0], 3), np.uint8)
    payloads = [jpeg(picture) for picture in noise]
    payloads[7] = jpeg(np.zeros((SIZE[1], SIZE[0], 3), np.uint8))
    line = Line(make_mjpeg(tmp_path / "clip.mkv", payloads), watched=True)
    assert [frame.seq for frame in line.frames if frame.health == "dark"] == [7]


def test_a_picture_that_a_look_finds_damaged_is_corrupt(tmp_path: Path) -> None:
    at = PICTURES[5].index(b"\xff\xc4") + 5
    senseless = PICTURES[5][:at] + bytes([255] * 16) + PICTURES[5][at + 16 :]  # its Huffman tables
    senseless = senseless[:2] + b"\xff\xfe\x04\x00" + bytes(1022) + senseless[2:]  # as large as another scene's
    frames = Line(make_mjpeg(tmp_path / "clip.mkv", [*PICTURES[:5], senseless, *PICTURES[6:]]), watched=True).frames
    assert [frame.corrupt for frame in frames] == [number == 5 for number in range(10)]
    assert (frames[5].damage or "").startswith("a damaged JPEG: ")


def test_a_snapshot_of_a_motion_jpeg_camera_has_pixels(tmp_path: Path) -> None:
    source = open_source(camera_settings(url=str(make_mjpeg(tmp_path / "clip.mkv", PICTURES))), SystemClock())
    found = probe(source, 10, FakeClock())
    source.close()
    assert found.last is not None
    assert number_of(found.last) == 9
