"""What holds for every FrameSource: a script, a file, a folder of images, a loop, an HTTP and a real RTSP stream."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from andon.clock import SystemClock
from andon.settings import CameraSettings
from ingest.sources.choice import open_source
from ingest.sources.source import FrameSource, Picture
from ingest.sources.timeline import MediaTime
from tests.http_camera import http_camera
from tests.unit.ingest.fakes import ScriptedSource
from tests.unit.ingest.jpegs import grey_jpeg, make_mjpeg
from tests.videos import SIZE, RtspServer, grey, make_video, number_of

FRAMES = 30
Open = Callable[[], FrameSource]


def _script(folder: Path) -> Iterator[FrameSource]:
    def picture(number: int) -> Picture:
        return Picture(number / 25, lambda: np.full((48, 64, 3), grey(number), np.uint8))

    yield ScriptedSource(picture(number) for number in range(FRAMES))


def _file(folder: Path) -> Iterator[FrameSource]:
    yield _opened(str(make_video(folder / "clip.mp4", FRAMES)))


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
    yield _opened(str(make_video(folder / "clip.mp4", FRAMES)), loop=True)


def _rtsp(folder: Path) -> Iterator[FrameSource]:
    make_video(folder / "clip.mp4", FRAMES)
    with RtspServer(folder) as server:
        yield _opened(server.url("clip.mp4", loop=False))


def _http(folder: Path) -> Iterator[FrameSource]:
    with http_camera([grey_jpeg(number) for number in range(FRAMES)]) as camera:
        yield _opened(camera.url())


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
        _http,
        pytest.param(_rtsp, marks=pytest.mark.integration),
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


def test_its_timestamps_run_at_the_rate_that_it_tells_unless_the_host_dates_its_pictures(source: FrameSource) -> None:
    if source.info.clock == "host":
        assert {picture.pts_s for picture in read(source)} == {None}
        return
    media = MediaTime(source.info.fps)
    times = [media.at(picture.pts_s) for picture in read(source)]
    assert source.info.fps is not None
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


def test_only_a_loop_goes_on_after_its_last_picture(source: FrameSource, request: pytest.FixtureRequest) -> None:
    pictures = read(source, 2 * FRAMES)
    looped = "_looped" in request.node.name
    assert len(pictures) == (2 * FRAMES if looped else FRAMES)
    if looped:
        media = MediaTime(source.info.fps)
        times = [media.at(picture.pts_s) for picture in pictures]
        assert np.diff(times) == pytest.approx(0.04, abs=0.002)
