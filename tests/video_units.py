"""Camera streams for tests: H.264 and H.265 as access units in decode order, made by libx264 and libx265, and what a
plain decode of all of them gives."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.codec.context import CodecContext
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext
from av.video.stream import VideoStream
from numpy.typing import NDArray

WIDTH, HEIGHT = 160, 128
FRAMES = 50
GROUP = 10
X264, X265 = "libx264", "libx265"
CONTENT_TYPES = {X264: "video/h264", X265: "video/h265"}
QUIET = "log-level=none:pools=1:frame-threads=1"
Bgr = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Stream:
    content_type: str
    units: tuple[bytes, ...]
    """Access units in Annex B, in decode order."""
    order: tuple[int, ...]
    """By unit: its place in the order of presentation."""
    pictures: Mapping[int, Bgr]
    """By unit: its picture, as a plain decode of the whole stream gives it."""

    @property
    def shown(self) -> list[int]:
        """The units' numbers in the order of presentation."""
        return sorted(range(len(self.units)), key=self.order.__getitem__)


@dataclass(frozen=True, slots=True)
class Encoder:
    codec: str
    options: str
    """Of x264 or x265."""
    frames: int = FRAMES
    size: tuple[int, int] = (WIDTH, HEIGHT)
    pixels: str = "yuv420p"


PLAIN_264 = Encoder(X264, f"keyint={GROUP}:min-keyint={GROUP}:bframes=0:scenecut=0")
B_FRAMES_264 = Encoder(X264, f"keyint={GROUP}:min-keyint={GROUP}:bframes=3:b-adapt=0:scenecut=0")
OPEN_264 = Encoder(X264, f"keyint={GROUP}:min-keyint={GROUP}:bframes=3:b-adapt=0:open-gop=1:scenecut=0")
SLICES_264 = Encoder(X264, f"keyint={GROUP}:min-keyint={GROUP}:bframes=0:scenecut=0:slices=2")
REFRESH_264 = Encoder(X264, f"keyint={GROUP}:bframes=0:intra-refresh=1:scenecut=0")
PLAIN_265 = Encoder(X265, f"keyint={GROUP}:min-keyint={GROUP}:bframes=0:scenecut=0:open-gop=0:{QUIET}")
B_FRAMES_265 = Encoder(X265, f"keyint={GROUP}:min-keyint={GROUP}:bframes=3:b-adapt=0:scenecut=0:open-gop=0:{QUIET}")
OPEN_265 = Encoder(X265, f"keyint={GROUP}:min-keyint={GROUP}:bframes=3:b-adapt=0:scenecut=0:open-gop=1:{QUIET}")
SLICES_265 = Encoder(X265, f"keyint={GROUP}:min-keyint={GROUP}:bframes=0:scenecut=0:open-gop=0:slices=2:{QUIET}")
STREAMS = {
    "h264": PLAIN_264,
    "h264-b": B_FRAMES_264,
    "h264-open": OPEN_264,
    "h264-slices": SLICES_264,
    "h264-refresh": REFRESH_264,
    "h265": PLAIN_265,
    "h265-b": B_FRAMES_265,
    "h265-open": OPEN_265,
    "h265-slices": SLICES_265,
}


@cache
def stream(encoder: Encoder) -> Stream:
    """Noise that moves, so that a wrong reference shows in every picture."""
    packets = _encoded(encoder)
    pts = [packet.pts or 0 for packet in packets]
    order = tuple(sorted(pts).index(moment) for moment in pts)
    units = tuple(bytes(packet) for packet in packets)
    content_type = CONTENT_TYPES[encoder.codec]
    return Stream(content_type, units, order, _pictures(units, content_type))


def write_file(encoder: Encoder, path: Path) -> Path:
    """The same pictures as a file, for example an MP4."""
    with av.open(str(path), "w") as container:
        video = container.add_stream(encoder.codec, rate=25)
        assert isinstance(video, VideoStream)
        _set_up(video.codec_context, encoder)
        for number in range(encoder.frames):
            container.mux(video.encode(_scene(encoder, number)))
        container.mux(video.encode())
    return path


def _set_up(context: VideoCodecContext, encoder: Encoder) -> None:
    context.width, context.height = encoder.size
    context.pix_fmt, context.time_base, context.framerate = encoder.pixels, Fraction(1, 25), Fraction(25)
    context.thread_count = 1
    name = "x264-params" if encoder.codec == X264 else "x265-params"
    context.options = {"preset": "veryfast", name: encoder.options}


def _encoded(encoder: Encoder) -> "list[Packet[Any]]":
    context = CodecContext.create(encoder.codec, "w")
    assert isinstance(context, VideoCodecContext)
    _set_up(context, encoder)
    packets = [packet for number in range(encoder.frames) for packet in context.encode(_scene(encoder, number))]
    return packets + context.encode(None)


def _scene(encoder: Encoder, number: int) -> av.VideoFrame:
    width, height = encoder.size
    noise = np.random.default_rng(7).integers(40, 200, (height * 3 // 2, width + 4 * encoder.frames), dtype=np.uint8)
    planes = np.ascontiguousarray(noise[:, 4 * number : 4 * number + width])
    planes[height:] = 128
    planes[10:40, 10 + number : 40 + number] = 235
    frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
    if encoder.pixels != "yuv420p":
        frame = frame.reformat(format=encoder.pixels)
    frame.pts, frame.time_base = number, Fraction(1, 25)
    return frame


def _pictures(units: tuple[bytes, ...], content_type: str) -> dict[int, Bgr]:
    """By a decoder of its own, with the settings that FFmpeg has by default."""
    context = CodecContext.create("h264" if content_type == "video/h264" else "hevc", "r")
    assert isinstance(context, VideoCodecContext)
    frames = []
    for number, unit in enumerate(units):
        packet: Packet[Any] = Packet(unit)
        packet.pts = packet.dts = number
        frames += context.decode(packet)
    frames += context.decode(None)
    return {frame.pts or 0: np.asarray(frame.to_ndarray(format="bgr24"), np.uint8) for frame in frames}
