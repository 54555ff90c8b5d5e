"""Decodes PNGs with OpenCV, after every chunk has been checked: OpenCV pads missing pixels with black."""

import struct
import zlib
from collections.abc import Iterator

import cv2
import numpy as np

from andon.errors import PoisonError
from andon.pictures.exif import orientation
from andon.pictures.picture import PixelLayout, Samples, in_known_depth

SIGNATURE = b"\x89PNG\r\n\x1a\n"
FLAGS = cv2.IMREAD_COLOR_BGR | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION


def layout(payload: bytes) -> PixelLayout:
    """Raises PoisonError unless the payload begins as a PNG."""
    if payload[:8] != SIGNATURE or payload[12:16] != b"IHDR" or len(payload) < 24:
        raise PoisonError("undecodable", "not a PNG")
    width, height = struct.unpack(">II", payload[16:24])
    return PixelLayout(width, height, _turn(payload))


def read(payload: bytes, _layout: PixelLayout, _width: int, _height: int) -> Samples:
    """The picture as it lies, in its own size: a PNG can't be decoded at a smaller one."""
    plain = _picture_chunks(payload)
    try:
        picture = cv2.imdecode(np.frombuffer(plain, np.uint8), FLAGS)
    except cv2.error as error:
        raise PoisonError("undecodable", f"a damaged PNG: {error.err}") from None
    if picture is None:
        raise PoisonError("undecodable", "a damaged PNG")
    return in_known_depth(picture)


def _turn(payload: bytes) -> int:
    """The chunk stands anywhere; one that is damaged asks for nothing."""
    if b"eXIf" not in payload:
        return 1
    return next(
        (
            orientation(body)
            for kind, body, crc in _chunks(payload)
            if kind == b"eXIf" and zlib.crc32(body, zlib.crc32(kind)) == crc
        ),
        1,
    )


def _picture_chunks(payload: bytes) -> bytes:
    """The critical chunks alone, each with its checksum verified, up to IEND.

    The others are left out: texts and profiles may unpack to gigabytes, an animation has frames of other sizes, and
    libpng writes a line to stderr for each odd chunk.
    """
    parts = [SIGNATURE]
    for kind, body, crc in _chunks(payload):
        if zlib.crc32(body, zlib.crc32(kind)) != crc:
            raise PoisonError("undecodable", "a damaged PNG: a checksum is wrong")
        if kind[0] & 0x20 == 0:  # critical, says the case of its first letter (PNG, section 5.4)
            parts += [struct.pack(">I", len(body)), kind, body, struct.pack(">I", crc)]
        if kind == b"IEND":
            return b"".join(parts)
    raise PoisonError("undecodable", "a truncated PNG")


def _chunks(payload: bytes) -> Iterator[tuple[bytes, bytes, int]]:
    """Type, body and checksum of each whole chunk."""
    at = len(SIGNATURE)
    while at + 12 <= len(payload):
        length = int.from_bytes(payload[at : at + 4])
        end = at + 8 + length
        if end + 4 > len(payload):
            return
        yield payload[at + 4 : at + 8], payload[at + 8 : end], int.from_bytes(payload[end : end + 4])
        at = end + 4
