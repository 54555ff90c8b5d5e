"""The input of all contenders."""

from pathlib import Path

import av
import cv2
import numpy as np

from bench.harness import clips


def test_a_longer_clip_repeats_the_clip(tmp_path: Path) -> None:
    videos = clips.longer(tmp_path, 2)
    assert clips.frames(videos) == 2 * 4 * clips.FRAMES
    with av.open(str(videos["press-1"])) as container:
        times = [packet.pts for packet in container.demux(video=0) if packet.pts is not None]
    assert len(times) == 2 * clips.FRAMES
    assert times == sorted(set(times))


def test_a_longer_clip_is_written_once(tmp_path: Path) -> None:
    mtime_ns = clips.longer(tmp_path, 1)["weld-2"].stat().st_mtime_ns
    assert clips.longer(tmp_path, 1)["weld-2"].stat().st_mtime_ns == mtime_ns


def test_jpegs_are_whole_pictures_of_the_cameras_size() -> None:
    few = clips.jpegs("weld-1", 3)
    assert len(few) == 3
    picture = cv2.imdecode(np.frombuffer(few[2], np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    assert (picture.shape[1], picture.shape[0]) == clips.SIZE_PX
