"""What holds for every FrameSource: a script, a file, a folder of images, a loop, an HTTP and a real RTSP stream, an
industrial camera that is a script, and Aravis' own."""

import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from andon.clock import SystemClock
from andon.settings import CameraSettings
from andon.video.decoder import GroupDecoder
from ingest.sources.choice import open_source
from ingest.sources.genicam import GenicamSource
from ingest.sources.source import FrameSource, Picture, SourceInfo
from ingest.sources.timeline import MediaTime
from ingest.sources.urls import parse
from tests.fakes import FakeClock
from tests.gige_camera import gige_camera, missing
from tests.http_camera import http_camera
from tests.unit.ingest.fakes import ScriptedSource, camera_settings
from tests.unit.ingest.jpegs import grey_jpeg, make_mjpeg
from tests.unit.ingest.test_genicam import ScriptedDevice, delivery
from tests.videos import SIZE, RtspServer, grey, make_video, number_of

FRAMES = 30
ENDLESS = ("_looped", "_passed_on_and_looped", "_industrial", "_gige")
"""They go on after the last picture of the others."""
STAMPED_LIVE = ("_gige",)
"""Their timestamps are those of a real clock, at which pictures are as punctual as this machine is."""


def _script(folder: Path) -> Iterator[FrameSource]:
    def picture(number: int) -> Picture:
        return Picture(number / 25, lambda: np.full((48, 64, 3), grey(number), np.uint8))

    yield ScriptedSource(picture(number) for number in range(FRAMES))


def _file(folder: Path) -> Iterator[FrameSource]:
    yield _opened(str(make_video(folder / "clip.mp4", FRAMES)), encoding="jpeg")


def _passed_on(folder: Path) -> Iterator[FrameSource]:
    yield UnitsAsPictures(_opened(str(make_video(folder / "clip.mp4", FRAMES)), encoding="passthrough"))


def _images(folder: Path) -> Iterator[FrameSource]:
    for number in range(FRAMES):
        cv2.imwrite(str(folder / f"{number:03}.png"), np.full((SIZE[1], SIZE[0], 3), grey(number), np.uint8))
    yield _opened(str(folder))


def _motion_jpeg(folder: Path) -> Iterator[FrameSource]:
    yield _opened(str(make_mjpeg(folder / "clip.mkv", [grey_jpeg(number) for number in range(FRAMES)])))


def _jpegs(folder: Path) -> Iterator[FrameSource]:
    for number in range(FRAMES):
        (folder / f"{number:03}.jpg").write_bytes(grey_jpeg(number))
    yield _opened(str(folder))


def _looped(folder: Path) -> Iterator[FrameSource]:
    yield _opened(str(make_video(folder / "clip.mp4", FRAMES)), loop=True, encoding="jpeg")


def _passed_on_and_looped(folder: Path) -> Iterator[FrameSource]:
    yield UnitsAsPictures(_opened(str(make_video(folder / "clip.mp4", FRAMES)), loop=True, encoding="passthrough"))


def _rtsp(folder: Path) -> Iterator[FrameSource]:
    make_video(folder / "clip.mp4", FRAMES)
    with RtspServer(folder) as server:
        yield _opened(server.url("clip.mp4", loop=False), encoding="jpeg")


def _passed_on_by_rtsp(folder: Path) -> Iterator[FrameSource]:
    make_video(folder / "clip.mp4", FRAMES)
    with RtspServer(folder) as server:
        yield UnitsAsPictures(_opened(server.url("clip.mp4", loop=False), encoding="passthrough"))


def _http(folder: Path) -> Iterator[FrameSource]:
    with http_camera([grey_jpeg(number) for number in range(FRAMES)]) as camera:
        yield _opened(camera.url())


def _industrial(folder: Path) -> Iterator[FrameSource]:
    """The device is a script; the camera's frame ids begin anywhere, and begin anew at their end."""
    deliveries = (
        delivery((65_530 + number) % 65_535 + 1, timestamp_s=7 + number / 10, data=bytes([grey(number)]) * 12)
        for number in range(2 * FRAMES)
    )
    device = ScriptedDevice(deliveries, FakeClock())
    yield GenicamSource(parse("gige:7"), camera_settings(url="gige:7"), FakeClock(), device)


class UnitsAsPictures:
    """Access units that a stream passes on, as pictures: a worker's decoder makes them."""

    def __init__(self, source: FrameSource) -> None:
        self._source = source
        self._decoder = GroupDecoder("video/h264")
        self._read = 0

    @property
    def info(self) -> SourceInfo:
        return self._source.info

    def read(self) -> Picture | None:
        picture = self._source.read()
        if picture is None:
            return None
        assert picture.unit is not None
        self._read += 1
        (decoded,) = self._decoder.feed(picture.unit.payload, self._read)
        bgr = decoded.frame.to_ndarray(format="bgr24").astype(np.uint8)
        return replace(picture, bgr=lambda: bgr)

    def close(self) -> None:
        self._source.close()


class NumberPictures:
    """Aravis' camera draws its frame id, modulo 255, as the first grey level. Here that number, counted from the first
    one, is the whole picture. A busy machine may lose packets; pictures that are marked for it are left out."""

    def __init__(self, source: FrameSource) -> None:
        self._source = source
        self._first: int | None = None
        self._lost = 0

    @property
    def info(self) -> SourceInfo:
        return self._source.info

    def read(self) -> Picture | None:
        picture = self._source.read()
        assert picture is not None
        if picture.bgr is None:
            self._lost += self._first is not None
            return self.read()
        bgr = picture.bgr()
        number = int(bgr[0, 0, 0])
        self._first = number if self._first is None else self._first
        bgr[:] = grey((number - self._first - self._lost) % 255)
        return replace(picture, bgr=lambda: bgr)

    def close(self) -> None:
        self._source.close()


def _gige(folder: Path) -> Iterator[FrameSource]:
    if missing():
        pytest.skip(missing())
    with gige_camera() as camera:
        size = {"width": SIZE[0], "height": SIZE[1]}
        patient = {"buffers": 1000, "heartbeat_s": 30}  # this machine may be busy with other tests
        yield NumberPictures(_opened(camera.url, genicam={"fps": 25, **size, **patient}, read_timeout_s=30))


def _opened(url: str, **values: object) -> FrameSource:
    return open_source(CameraSettings.model_validate({"id": "c", "url": url, **values}), SystemClock())


@pytest.fixture(
    params=[
        _script,
        _file,
        _images,
        _motion_jpeg,
        _jpegs,
        _looped,
        _passed_on,
        _passed_on_and_looped,
        _http,
        _industrial,
        pytest.param(_rtsp, marks=pytest.mark.integration),
        pytest.param(_passed_on_by_rtsp, marks=pytest.mark.integration),
        pytest.param(_gige, marks=pytest.mark.integration),
    ]
)
def source(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[FrameSource]:
    making = request.param(tmp_path)
    source = next(making)
    yield source
    source.close()
    next(making, None)


def read(source: FrameSource, most: int = FRAMES) -> list[Picture]:
    """The pictures of `source` until it ends, at most `most` of them."""
    return list(itertools.islice(iter(source.read, None), most))


def test_every_picture_comes_once_and_in_order(source: FrameSource) -> None:
    pictures = read(source)
    assert [number_of(picture.bgr()) for picture in pictures if picture.bgr is not None] == list(range(FRAMES))


def test_pictures_are_bgr_bytes_of_the_size_that_is_told(source: FrameSource) -> None:
    picture = read(source, 1)[0]
    assert picture.bgr is not None
    pixels = picture.bgr()
    assert pixels.dtype == np.uint8
    assert pixels.shape == (source.info.height, source.info.width, 3)


def test_whole_pictures_are_not_called_corrupt(source: FrameSource) -> None:
    assert not any(picture.corrupt for picture in read(source))


def test_its_timestamps_run_at_the_rate_that_it_tells_unless_the_host_dates_its_pictures(
    source: FrameSource, request: pytest.FixtureRequest
) -> None:
    if source.info.clock == "host":
        assert {picture.pts_s for picture in read(source)} == {None}
        return
    media = MediaTime(source.info.fps)
    times = [media.at(picture.pts_s) for picture in read(source)]
    assert source.info.fps is not None
    if any(name in request.node.name for name in STAMPED_LIVE):
        assert (np.diff(times) > 0).all()
        return
    assert np.diff(times) == pytest.approx(1 / source.info.fps, abs=0.002)


def test_the_caller_owns_the_array_that_it_gets(source: FrameSource) -> None:
    first, second = read(source, 2)
    assert first.bgr is not None
    assert second.bgr is not None
    first.bgr()[:] = 255
    assert number_of(second.bgr()) == 1


def test_what_it_passes_on_undecoded_is_the_same_picture(source: FrameSource) -> None:
    for picture in read(source):
        if picture.jpeg is not None:
            assert picture.bgr is not None
            assert number_of(_decoded(picture.jpeg.payload)) == number_of(picture.bgr())
            assert (picture.jpeg.width, picture.jpeg.height) == (source.info.width, source.info.height)


def _decoded(payload: bytes) -> NDArray[np.uint8]:
    return np.asarray(cv2.imdecode(np.frombuffer(payload, np.uint8), cv2.IMREAD_COLOR), np.uint8)


def test_it_can_be_closed_while_there_is_more(source: FrameSource) -> None:
    assert len(read(source, 3)) == 3
    source.close()


def test_only_a_loop_and_a_camera_go_on_after_its_last_picture(
    source: FrameSource, request: pytest.FixtureRequest
) -> None:
    pictures = read(source, 2 * FRAMES)
    endless = any(name in request.node.name for name in ENDLESS)
    assert len(pictures) == (2 * FRAMES if endless else FRAMES)
    if "_looped" in request.node.name:
        media = MediaTime(source.info.fps)
        times = [media.at(picture.pts_s) for picture in pictures]
        assert np.diff(times) == pytest.approx(0.04, abs=0.002)
