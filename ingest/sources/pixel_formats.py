"""The pixel formats of industrial cameras -> BGR (pure): unpacks samples, brings them to 8 bits, restores colours.

Source of names, numbers and layouts: EMVA, GenICam Pixel Format Naming Convention (PFNC) 2.4 and its list of values.
The name of a Bayer format is its first two pixels; OpenCV's older names are the pixels one row and one column further.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from andon.pictures.picture import Bgr

Bytes = NDArray[np.uint8]
Colours = Callable[[Bytes], Bgr]
"""(H, W) or (H, W, channels) of 8 bits -> BGR (H, W, 3)."""


class SampleLayout(NamedTuple):
    """How samples lie in bytes."""

    group: int
    """Bytes that hold whole samples only."""
    unpack: Callable[[Bytes, int], Bytes]
    """(bytes of whole groups, significant bits) -> one byte a sample: its 8 highest significant bits."""


@dataclass(frozen=True, slots=True)
class PixelFormat:
    name: str
    bits: int
    """Of a sample, as the name says."""
    bits_a_pixel: int
    """Of the data, all channels and filling together."""
    channels: int
    layout: SampleLayout
    colours: Colours

    def bytes_of(self, pixels: int) -> int:
        return -(-pixels * self.bits_a_pixel // 8)


def _bytes(data: Bytes, bits: int) -> Bytes:
    return data


def _words(data: Bytes, bits: int) -> Bytes:
    """16 bits a sample, low byte first. Values that `bits` can't hold are white."""
    samples = data.view("<u2").astype(np.uint16, copy=False)
    return np.asarray(np.minimum(samples >> np.uint16(bits - 8), 255), np.uint8)


def _packed(data: Bytes, bits: int) -> Bytes:
    """Two samples in three bytes: the high 8 bits of each, and between them the rest (GigE Vision's 10 and 12 bits)."""
    triples = data.reshape(-1, 3)
    return np.ascontiguousarray(triples[:, ::2]).reshape(-1)


def _p10(data: Bytes, bits: int) -> Bytes:
    """Four samples in five bytes, low bits first."""
    b = data.reshape(-1, 5)
    return np.stack(
        (
            b[:, 0] >> 2 | b[:, 1] << 6,
            b[:, 1] >> 4 | b[:, 2] << 4,
            b[:, 2] >> 6 | b[:, 3] << 2,
            b[:, 4],
        ),
        axis=1,
    ).reshape(-1)


def _p12(data: Bytes, bits: int) -> Bytes:
    """Two samples in three bytes, low bits first."""
    b = data.reshape(-1, 3)
    return np.stack((b[:, 0] >> 4 | b[:, 1] << 4, b[:, 2]), axis=1).reshape(-1)


def _converted(code: int) -> Colours:
    def convert(picture: Bytes) -> Bgr:
        return np.asarray(cv2.cvtColor(picture, code), np.uint8)

    return convert


def _full_range(luma: int) -> Colours:
    """4:2:2 of 256 levels, BT.601; OpenCV's own conversion takes black for 16 and white for 235.

    `luma`: the place of Y in each pixel's two bytes; the other holds Cb and Cr in turn.
    """

    def convert(picture: Bytes) -> Bgr:
        y, chroma = picture[:, :, luma], picture[:, :, 1 - luma]
        blue, red = (np.repeat(chroma[:, first::2], 2, axis=1) for first in (0, 1))
        return np.asarray(cv2.cvtColor(np.dstack((y, red, blue)), cv2.COLOR_YCrCb2BGR), np.uint8)

    return convert


BYTES, WORDS = SampleLayout(1, _bytes), SampleLayout(2, _words)
PACKED, P10, P12 = SampleLayout(3, _packed), SampleLayout(5, _p10), SampleLayout(3, _p12)
BAYER = {
    "GR": cv2.COLOR_BayerGRBG2BGR,
    "RG": cv2.COLOR_BayerRGGB2BGR,
    "GB": cv2.COLOR_BayerGBRG2BGR,
    "BG": cv2.COLOR_BayerBGGR2BGR,
}
"""OpenCV's newer names are the first two rows."""
GREY = _converted(cv2.COLOR_GRAY2BGR)
_DEPTHS: tuple[tuple[str, int, int, SampleLayout, tuple[int, ...]], ...] = (
    # a suffix, significant bits, bits of a pixel, and its numbers: Mono, BayerGR, BayerRG, BayerGB, BayerBG
    ("8", 8, 8, BYTES, (0x01080001, 0x01080008, 0x01080009, 0x0108000A, 0x0108000B)),
    ("10", 10, 16, WORDS, (0x01100003, 0x0110000C, 0x0110000D, 0x0110000E, 0x0110000F)),
    ("12", 12, 16, WORDS, (0x01100005, 0x01100010, 0x01100011, 0x01100012, 0x01100013)),
    ("14", 14, 16, WORDS, (0x01100025, 0x01100109, 0x0110010A, 0x0110010B, 0x0110010C)),
    ("16", 16, 16, WORDS, (0x01100007, 0x0110002E, 0x0110002F, 0x01100030, 0x01100031)),
    ("10Packed", 10, 12, PACKED, (0x010C0004, 0x010C0026, 0x010C0027, 0x010C0028, 0x010C0029)),
    ("12Packed", 12, 12, PACKED, (0x010C0006, 0x010C002A, 0x010C002B, 0x010C002C, 0x010C002D)),
    ("10p", 10, 10, P10, (0x010A0046, 0x010A0056, 0x010A0058, 0x010A0054, 0x010A0052)),
    ("12p", 12, 12, P12, (0x010C0047, 0x010C0057, 0x010C0059, 0x010C0055, 0x010C0053)),
)
_COLOURS: tuple[tuple[str, int, int, int, Colours], ...] = (
    ("RGB8", 0x02180014, 24, 3, _converted(cv2.COLOR_RGB2BGR)),
    ("BGR8", 0x02180015, 24, 3, np.copy),
    ("RGBa8", 0x02200016, 32, 4, _converted(cv2.COLOR_RGBA2BGR)),
    ("BGRa8", 0x02200017, 32, 4, _converted(cv2.COLOR_BGRA2BGR)),
    ("YUV422_8_UYVY", 0x0210001F, 16, 2, _full_range(1)),
    ("YUV422_8", 0x02100032, 16, 2, _full_range(0)),
    ("YCbCr422_8", 0x0210003B, 16, 2, _full_range(0)),
    ("YCbCr422_8_CbYCrY", 0x02100043, 16, 2, _full_range(1)),
    ("YCbCr601_422_8", 0x0210003E, 16, 2, _converted(cv2.COLOR_YUV2BGR_YUY2)),
    ("YCbCr601_422_8_CbYCrY", 0x02100044, 16, 2, _converted(cv2.COLOR_YUV2BGR_UYVY)),
)


def _formats() -> dict[int, PixelFormat]:
    found = {number: PixelFormat(name, 8, size, channels, BYTES, to) for name, number, size, channels, to in _COLOURS}
    colours = [("Mono", GREY), *((f"Bayer{order}", _converted(code)) for order, code in BAYER.items())]
    for suffix, bits, size, layout, numbers in _DEPTHS:
        for (name, to), number in zip(colours, numbers, strict=True):
            found[number] = PixelFormat(f"{name}{suffix}", bits, size, 1, layout, to)
    return found


FORMATS = _formats()
"""By PFNC's numbers."""


def to_bgr(data: bytes, form: PixelFormat, size: tuple[int, int], bits: int | None = None, padding: int = 0) -> Bgr:
    """The picture that a camera sent; the caller owns it.

    `size`: width and height. `bits`: significant bits of a sample; None: as the format's name says. `padding`: bytes
    at the end of each row. `data` holds at least `size_bytes`.
    """
    width, height = size
    rows = _rows(np.frombuffer(data, np.uint8), form, size, padding)
    unpacked = form.layout.unpack(rows.reshape(-1), form.bits if bits is None else bits)
    samples = unpacked.reshape(len(rows), -1)[:, : width * height * form.channels // len(rows)]
    return form.colours(samples.reshape((height, width) if form.channels == 1 else (height, width, form.channels)))


def size_bytes(form: PixelFormat, size: tuple[int, int], padding: int = 0) -> int:
    """What a whole picture takes."""
    width, height = size
    return (form.bytes_of(width) + padding) * height - padding if padding else form.bytes_of(width * height)


def _rows(data: Bytes, form: PixelFormat, size: tuple[int, int], padding: int) -> Bytes:
    """(rows, bytes of whole groups). Without padding all rows are one: a packed row may end within a byte."""
    width, height = size
    count, wanted = (height, form.bytes_of(width)) if padding else (1, form.bytes_of(width * height))
    whole = size_bytes(form, size, padding)
    if padding:  # the last row may lack it
        data = np.concatenate((data[:whole], np.zeros(padding, np.uint8)))
        whole += padding
    rows = data[:whole].reshape(count, -1)[:, :wanted]
    missing = -wanted % form.layout.group
    return np.pad(rows, ((0, 0), (0, missing))) if missing else rows
