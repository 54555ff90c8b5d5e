"""Clips of cameras that go wrong: a scene with a sensor's noise, and what becomes of it."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
FPS = 25
SIZE = (320, 240)


def scene(number: int, size: tuple[int, int] = SIZE) -> Picture:
    """A part that stands still under a sensor's noise, other in each picture."""
    random = np.random.default_rng(number)
    picture = np.full((size[1], size[0], 3), 70.0)
    picture[size[1] // 4 : size[1] // 2, size[0] // 4 : size[0] // 2] = (150, 160, 170)
    return np.clip(picture + random.normal(0, 4, picture.shape), 0, 255).astype(np.uint8)


def healthy(seconds: float, size: tuple[int, int] = SIZE) -> Iterator[Picture]:
    return (scene(number, size) for number in range(round(seconds * FPS)))


def frozen(seconds: float) -> Iterator[Picture]:
    return (scene(7) for _ in range(round(seconds * FPS)))


def black(seconds: float) -> Iterator[Picture]:
    return (np.zeros((SIZE[1], SIZE[0], 3), np.uint8) for _ in range(round(seconds * FPS)))


def clip(path: Path, *parts: Iterable[Picture], size: tuple[int, int] = SIZE) -> Path:
    """Parts one after the other, as H.264; a keyframe each second, as cameras send them."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.pix_fmt = "yuv420p"
        stream.options = {"preset": "ultrafast", "g": str(FPS), "bf": "0", "crf": "23"}
        stream.width, stream.height = size
        for part in parts:
            for picture in part:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgr24")))
        container.mux(stream.encode())
    return path


def of_two_sizes(path: Path) -> Path:
    """A transport stream whose pictures become smaller after 2 s, as a camera's do whose settings are changed."""
    halves = [
        clip(path.with_name("one.ts"), healthy(2)).read_bytes(),
        clip(path.with_name("two.ts"), healthy(2, (160, 120)), size=(160, 120)).read_bytes(),
    ]
    path.write_bytes(b"".join(halves))
    return path


def scrambled(path: Path, source: Path) -> Path:
    """Random bytes in the middle of a clip's pictures."""
    content = bytearray(source.read_bytes())
    start, end = len(content) // 2, len(content) // 2 + len(content) // 20
    content[start:end] = np.random.default_rng(5).bytes(end - start)
    path.write_bytes(content)
    return path
