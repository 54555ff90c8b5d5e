"""What goes wrong with files, folders and devices, and the line that says so."""

import errno
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from av import error as ffmpeg

from andon.clock import SystemClock
from ingest.sources.choice import open_source
from ingest.sources.ffmpeg_errors import explain
from ingest.sources.looped import LoopedSource
from ingest.sources.opening import threads_for
from ingest.sources.source import FrameSource, Picture, SourceError
from ingest.sources.urls import Address, parse
from ingest.sources.usb import UsbSource
from tests.proven import proven
from tests.unit.ingest.fakes import ScriptedSource, bgr, camera_settings
from tests.videos import make_video

SECRET = "gEh31m"


def opened(path: Path, **values: object) -> FrameSource:
    return open_source(camera_settings(url=str(path), **values), SystemClock())


def read_all(source: FrameSource) -> list[Picture]:
    return list(iter(source.read, None))


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"none\.mp4: no such file$"):
        opened(tmp_path / "none.mp4")


@pytest.mark.parametrize("content", [b"", b"hello, world" * 100])
def test_a_file_that_is_no_video_is_one_line(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "notes.mp4"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=r"notes\.mp4: this is not a video$"):
        opened(path)


def test_a_file_without_a_picture_track_is_one_line(tmp_path: Path) -> None:
    path = tmp_path / "sound.wav"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
    with pytest.raises(SourceError, match="there is no video in it"):
        opened(path)


@pytest.mark.parametrize("damaged", [10, 14])
def test_after_damage_every_picture_up_to_the_next_keyframe_is_corrupt_and_none_is_missing(
    tmp_path: Path, damaged: int
) -> None:
    path = make_video(tmp_path / "clip.mp4", 30, gop=10)
    with av.open(str(path)) as container:
        packet = [item for item in container.demux(video=0) if item.size][damaged]
        position, size = packet.pos, packet.size
    assert position is not None
    content = bytearray(path.read_bytes())
    content[position + 5 : position + size] = bytes(size - 5)
    path.write_bytes(content)
    pictures = read_all(opened(path, encoding="jpeg"))
    assert [number for number, picture in enumerate(pictures) if picture.corrupt] == list(range(damaged, 20))
    assert len(pictures) == 30
    passed = read_all(opened(path, encoding="passthrough"))
    assert sorted(proven(passed)) == [number for number in range(30) if not damaged <= number < 20]
    assert len(passed) == 30


def test_an_unreadable_image_is_a_corrupt_picture_in_its_place(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), bgr())
    (tmp_path / "b.jpg").write_bytes(b"no image")
    (tmp_path / "c.jpg").write_bytes(b"")
    cv2.imwrite(str(tmp_path / "d.png"), bgr())
    (tmp_path / "notes.txt").write_text("not looked at")
    pictures = read_all(opened(tmp_path, image_fps=10))
    assert [(picture.corrupt, picture.pts_s) for picture in pictures] == [
        (False, 0.0),
        (True, 0.1),
        (True, 0.2),
        (False, 0.3),
    ]


def test_a_folder_without_images_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no images in this folder"):
        opened(tmp_path)


def test_a_folder_without_a_readable_image_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"no image")
    with pytest.raises(SourceError, match="none of its 1 images can be read"):
        opened(tmp_path)


def test_a_loop_over_nothing_ends_instead_of_turning_for_ever() -> None:
    with pytest.raises(SourceError, match="holds no picture"):
        LoopedSource(lambda: ScriptedSource([])).read()


class Webcam:
    def __init__(self, *, there: bool, pictures: int = 1) -> None:
        self._there, self._left, self.released = there, pictures, False

    def isOpened(self) -> bool:  # noqa: N802  # OpenCV's name
        return self._there

    def read(self) -> tuple[bool, object]:
        self._left -= 1
        return (True, bgr()) if self._left >= 0 else (False, None)

    def get(self, propId: int) -> float:  # noqa: N803  # OpenCV's name
        return {cv2.CAP_PROP_FRAME_WIDTH: 64.0, cv2.CAP_PROP_FRAME_HEIGHT: 48.0}.get(propId, 0.0)

    def set(self, propId: int, value: float) -> bool:  # noqa: N803  # OpenCV's name
        return False

    def release(self) -> None:
        self.released = True


def test_a_usb_cameras_pictures_carry_no_time_and_its_end_is_a_loss() -> None:
    webcam = Webcam(there=True)
    source = UsbSource(Address("usb", "0", "usb:0"), webcam)
    assert (source.info.width, source.info.height, source.info.fps, source.info.clock) == (64, 48, None, "host")
    picture = source.read()
    assert picture is not None
    assert picture.pts_s is None
    with pytest.raises(SourceError, match="unplugged"):
        source.read()
    source.close()
    assert webcam.released


def test_a_usb_camera_that_is_not_there_is_one_line() -> None:
    with pytest.raises(SourceError, match="usb:0: no such camera"):
        UsbSource(Address("usb", "0", "usb:0"), Webcam(there=False))


def every_error() -> list[type[av.FFmpegError]]:
    kinds = [value for value in vars(ffmpeg).values() if isinstance(value, type)]
    return [kind for kind in kinds if issubclass(kind, av.FFmpegError)]


@pytest.mark.parametrize("reading", [True, False])
@pytest.mark.parametrize("kind", every_error())
def test_no_ffmpeg_error_shows_the_password(kind: type[av.FFmpegError], reading: bool) -> None:
    url = f"rtsp://admin:{SECRET}@10.0.0.7/x"
    line = explain(kind(1, f"failed: {url}", url), parse(url), reading=reading)
    assert line.startswith("rtsp://10.0.0.7: ")
    assert SECRET not in line
    assert "\n" not in line


def test_a_refused_login_says_what_to_check() -> None:
    error = ffmpeg.HTTPUnauthorizedError(401, "x", "x")
    assert "refused the login (401)" in explain(error, parse("rtsp://h/x"), reading=False)


def test_a_camera_without_the_transport_is_not_mistaken_for_a_host_that_is_away() -> None:
    error = ffmpeg.OSError(errno.EPROTONOSUPPORT, "x", "x")
    assert "does not offer this transport" in explain(error, parse("rtsp://h/x"), reading=False)
    assert "can't be reached" in explain(ffmpeg.OSError(errno.EIO, "x", "x"), parse("rtsp://h/x"), reading=False)


def test_pictures_up_to_1080p_are_decoded_by_one_thread_and_4k_by_more() -> None:
    assert threads_for(0, 0) == threads_for(1920, 1080) == 1
    assert 1 < threads_for(3840, 2160) <= 4
