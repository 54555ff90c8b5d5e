"""Small test videos and a real RTSP server for them. A picture's grey says its number: 4 levels a picture, from 8."""

import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import numpy as np
from numpy.typing import NDArray

SIZE = (160, 120)
LEVELS = 60
"""The number of pictures after which their numbers begin again."""
READY_S = 20.0


def make_video(path: Path, frames: int = 50, fps: int = 25, gop: int = 10) -> Path:
    """An H.264 MP4 of plain grey pictures, 160x120."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        stream.options = {"preset": "ultrafast", "g": str(gop), "bf": "0", "qp": "8"}
        for number in range(frames):
            container.mux(stream.encode(_picture(number)))
        container.mux(stream.encode())
    return path


def _picture(number: int) -> av.VideoFrame:
    """In YUV: FFmpeg's way from BGR shifts the colours by up to 4 levels."""
    planes = np.full((SIZE[1] * 3 // 2, SIZE[0]), 128, np.uint8)
    planes[: SIZE[1]] = round(16 + grey(number) * 219 / 255)  # video's black is 16 and its white 235
    frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
    frame.pts = number
    return frame


def grey(number: int) -> int:
    """The level of picture `number`."""
    return 8 + 4 * (number % LEVELS)


def number_of(bgr: NDArray[np.uint8]) -> int:
    """Which picture of a video this is, modulo LEVELS."""
    return round((float(bgr.mean()) - 8) / 4)


class RtspServer:
    """A real RTSP server over the videos of a folder, as a process of its own, so that it can be killed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])

    def url(self, clip: str, *, loop: bool = True) -> str:
        return f"rtsp://127.0.0.1:{self.port}/{clip}?play_count={0 if loop else 1}"

    def start(self) -> None:
        """Returns when it takes connections."""
        self._process = subprocess.Popen(self._command(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + READY_S
        while time.monotonic() < deadline and self._process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise RuntimeError("the RTSP server did not come up")

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def _command(self) -> Sequence[str]:
        serve = "import sys, pathlib as p, sample_streams.serve as s; s.run(p.Path(sys.argv[1]), int(sys.argv[2]))"
        return [sys.executable, "-c", serve, str(self._folder), str(self.port)]

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.kill()
