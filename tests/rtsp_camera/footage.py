"""What the tests' RTSP camera shows: pictures whose grey says their number, encoded as access units.

They come in one loop that begins with a keyframe. In interlaced ones a bar moves from field to field.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

import av
import numpy as np
from av.bitstream import BitStreamFilterContext

from tests.video_units import Encoder, stream
from tests.videos import SIZE, grey

Codec = Literal["h264", "hevc"]
STEP_PX, BAR_PX = 8, 16
"""How far the bar moves from one field to the next, and its width."""
_START_CODE = re.compile(b"\x00\x00\x01")


@dataclass(frozen=True, slots=True)
class Footage:
    codec: Codec
    units: tuple[tuple[bytes, ...], ...]
    """The NAL units of each picture, without start codes."""
    parameter_sets: tuple[bytes, ...]
    order: tuple[int, ...] = ()
    """By picture: its place in the order in which they are shown. Empty: it is that in which they are sent."""

    def shown(self, number: int) -> int:
        """The place in the order of presentation of picture `number`, of the loop's rounds without an end."""
        place = number % len(self.units)
        return number - place + (self.order[place] if self.order else place)


def noise(encoder: Encoder) -> Footage:
    """One loop of a test stream whose pictures show it if a reference is wrong."""
    of = stream(encoder)
    codec: Codec = "h264" if of.content_type == "video/h264" else "hevc"
    units = tuple(tuple(_nal_units(unit)) for unit in of.units)
    return Footage(codec, units, tuple(unit for unit in units[0] if is_parameter_set(codec, unit)), of.order)


def film(
    frames: int = 50,
    codec: Codec = "h264",
    parameters: str = "",
    *,
    interlaced: bool = False,
    turned: int = 0,
    pixels: str = "yuv420p",
) -> Footage:
    """One loop of `frames` pictures with one keyframe, at its begin.

    `parameters` go to the encoder (`intra-refresh=1`). `turned` is how many degrees clockwise a viewer has to turn the
    pictures, which an H.264 stream says in a message of its own (SEI, display orientation). `pixels` is FFmpeg's pixel
    format.
    """
    encoder = av.CodecContext.create({"h264": "libx264", "hevc": "libx265"}[codec], "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt, encoder.framerate = *SIZE, pixels, Fraction(25)
    encoder.time_base = encoder.framerate**-1
    usual = f"keyint={frames}:min-keyint={frames}:scenecut=0:bframes=0:repeat-headers=1:qp=8:log-level=none"
    fields = ["tff=1"] if interlaced else []
    encoder.options = {
        "preset": "ultrafast",
        "tune": "zerolatency",
        f"{'x264' if codec == 'h264' else 'x265'}-params": ":".join([usual, *fields, *filter(None, [parameters])]),
    }
    packets = [
        packet
        for number in range(frames)
        for packet in encoder.encode(_picture(number, interlaced).reformat(format=pixels))
    ]
    packets += encoder.encode(None)
    payloads = [bytes(packet) for packet in _turned(packets, turned)]
    units = tuple(tuple(_nal_units(payload)) for payload in payloads)
    return Footage(codec, units, tuple(unit for unit in units[0] if is_parameter_set(codec, unit)))


def is_parameter_set(codec: Codec, unit: bytes) -> bool:
    """SPS and PPS; of H.265 the VPS, too."""
    return unit[0] & 31 in (7, 8) if codec == "h264" else unit[0] >> 1 & 63 in (32, 33, 34)


def _picture(number: int, interlaced: bool) -> av.VideoFrame:
    luma = np.full((SIZE[1], SIZE[0]), round(16 + grey(number) * 219 / 255), np.uint8)
    if interlaced:
        for field in (0, 1):
            left = (2 * number + field) * STEP_PX % (SIZE[0] - BAR_PX)
            luma[40 + field : 80 : 2, left : left + BAR_PX] = 235
    planes = np.full((SIZE[1] * 3 // 2, SIZE[0]), 128, np.uint8)
    planes[: SIZE[1]] = luma
    frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
    frame.pts = number
    return frame


def _turned(packets: Sequence["av.Packet[av.VideoStream]"], degrees: int) -> Sequence["av.Packet[av.VideoStream]"]:
    if not degrees:
        return packets
    # The filter takes counter-clockwise degrees: by so much a viewer turns the picture.
    tag = BitStreamFilterContext(f"h264_metadata=display_orientation=insert:rotate={-degrees}", "h264")
    return [turned for packet in packets for turned in tag.filter(packet)]


def _nal_units(payload: bytes) -> Sequence[bytes]:
    starts = [match.end() for match in _START_CODE.finditer(payload)]
    ends = [start - 3 for start in starts[1:]] + [len(payload)]
    return [payload[start:end].rstrip(b"\x00") for start, end in zip(starts, ends, strict=True)]
