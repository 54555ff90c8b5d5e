"""Streams that say something of their pixels: fields, orientation, shape, levels, bits."""

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from andon.cli import main
from andon.clock import SystemClock
from andon.events import CameraNoted
from andon.messages import Frame
from andon.settings import CameraSettings
from andon.wire import decode
from ingest.camera import Camera
from ingest.capture import Tools
from ingest.publisher import Route
from ingest.sources.choice import open_source
from tests.cases.case import Case, rows
from tests.fakes import MemoryPublisher, RecordedEvents
from tests.integration.ingest.line import until
from tests.rtsp_camera import Footage, RtspCamera, film

pytestmark = pytest.mark.integration


def settings(url: str, **values: object) -> CameraSettings:
    return CameraSettings.model_validate({"id": "c", "url": url, **values})


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
    source = open_source(settings(str(path), encoding="auto"), SystemClock())
    pictures = list(iter(source.read, None))
    assert [picture.unit is not None for picture in pictures] == [True] * 10 + [False] * 10
    notes = ["interlaced", "its pictures travel as JPEG: it is interlaced"]
    assert [note.partition(",")[0] for note in source.info.notes] == notes


async def test_an_interlaced_camera_is_deinterlaced_in_the_line_and_its_note_is_an_event() -> None:
    events, memory, stop = RecordedEvents(), MemoryPublisher(), asyncio.Event()
    with RtspCamera(film(20, interlaced=True)) as server:
        tools = Tools(open_source, SystemClock(), events, 8_000_000)
        camera = Camera(settings(server.url, encoding="auto"), Route("c", "t", memory, 5.0), tools)
        running = asyncio.ensure_future(camera.run(stop))
        await until(lambda: camera.captured >= 10)
        stop.set()
        await running
    noted = [event.what.partition(":")[0] for event in events.of(CameraNoted)]
    assert noted == ["interlaced, top field first", "its pictures travel as JPEG"]
    frames = [message for message in map(decode, memory.topics["t"]) if isinstance(message, Frame)]
    for frame in frames:
        picture = cv2.imdecode(np.frombuffer(frame.payload, np.uint8), cv2.IMREAD_GRAYSCALE)
        assert picture is not None
        luma = picture[42:78].astype(np.int16)
        assert np.abs(luma[1:-1] - (luma[:-2] + luma[2:]) / 2).mean() < 3
