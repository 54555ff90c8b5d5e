"""Encoded picture -> BGR uint8 (H, W, 3), within limits that are checked before anything is allocated.

The decoder is chosen by the record's content type. The true size is read from the picture's own header: what the
record's headers say is whatever its producer wrote. A damaged picture is told, never guessed at: a grey lower half has
no scratch in it. A JPEG of at least twice the size that the model looks at is decoded at half, a quarter or an eighth:
libjpeg's smaller transforms cost less, and what the model would be shown after shrinking is the same.
"""

import struct
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np
import simplejpeg

from andon.errors import PoisonError
from andon.jpeg import segments
from workers.detector import Picture

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# Markers that carry a frame's size: SOF0-15 without DHT (C4), JPG (C8) and DAC (CC). ITU-T T.81, table B.1.
JPEG_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
JPEG_SCANS = 100
"""At most so many scans; an encoder makes 10 or so. Each takes the decoder through the whole picture: 20,000 fit into
a small record and keep it for minutes. Source: libjpeg-turbo, "Two issues with the JPEG standard"."""


@dataclass(frozen=True, slots=True)
class Limits:
    max_bytes: int
    max_pixels: int


@dataclass(frozen=True, slots=True)
class Decoded:
    """A picture, owned by the caller, and the size at which it was encoded, in pixels."""

    picture: Picture
    """Perhaps smaller than that, by one factor in both directions up to rounding."""
    width: int
    height: int


def decode(payload: bytes, content_type: str, limits: Limits, enough_px: int | None = None) -> Decoded:
    """The picture. Blocks, for milliseconds; safe on several threads at once.

    `enough_px`: it may come at a reduced size whose longer side is at least that. None: at its own size.

    Raises:
        PoisonError: `too_large`, before anything was allocated; `undecodable` for all else.
    """
    if content_type not in _DECODERS:
        raise PoisonError("undecodable", f"content type {content_type[:60]!r} has no decoder here")
    if not payload:
        raise PoisonError("undecodable", "the picture is empty")
    if len(payload) > limits.max_bytes:
        raise PoisonError("too_large", f"{len(payload)} bytes, worker.max_frame_bytes is {limits.max_bytes}")
    measure, read = _DECODERS[content_type]
    width, height = measure(payload)
    if width < 1 or height < 1:
        raise PoisonError("undecodable", f"{width}x{height} pixels")
    if width * height > limits.max_pixels:
        raise PoisonError("too_large", f"{width}x{height} pixels, worker.max_frame_pixels is {limits.max_pixels}")
    factor = _reduction(max(width, height), enough_px)
    return Decoded(read(payload, -(-width // factor), -(-height // factor)), width, height)


def _reduction(longer_px: int, enough_px: int | None) -> int:
    """By which of libjpeg's cheap factors the picture may shrink."""
    if enough_px is None:
        return 1
    return next((factor for factor in (8, 4, 2) if longer_px >= factor * enough_px), 1)


def decode_threads(count: int) -> ThreadPoolExecutor:
    """The decoders' own threads: the default pool is for whatever else blocks."""
    return ThreadPoolExecutor(count, thread_name_prefix="decode")


def jpeg_size(payload: bytes) -> tuple[int, int]:
    """Width and height of a JPEG. Raises PoisonError where its header can't be followed to a frame."""
    for marker, body in segments(payload):
        if marker in JPEG_FRAMES and len(body) >= 5:  # precision (1), height (2), width (2)
            height, width = struct.unpack(">HH", body[1:5])
            return width, height
    raise PoisonError("undecodable", "not a JPEG, or one without a frame header")


def png_size(payload: bytes) -> tuple[int, int]:
    """Width and height of a PNG. Raises PoisonError unless it begins as one."""
    if payload[:8] != PNG_SIGNATURE or payload[12:16] != b"IHDR" or len(payload) < 24:
        raise PoisonError("undecodable", "not a PNG")
    width, height = struct.unpack(">II", payload[16:24])
    return width, height


def _read_jpeg(payload: bytes, width: int, height: int) -> Picture:
    """libjpeg-turbo itself and not cv2.imdecode, which fills what is missing with grey and says nothing."""
    scans = payload.count(b"\xff\xda")
    if scans > JPEG_SCANS:
        raise PoisonError("undecodable", f"a JPEG of {scans} scans, {JPEG_SCANS} are read")
    try:
        picture: Picture = simplejpeg.decode_jpeg(payload, "BGR", min_height=height, min_width=width, strict=True)
    except ValueError as error:
        raise PoisonError("undecodable", f"a damaged JPEG: {error}") from None
    return picture


def _read_png(payload: bytes, _width: int, _height: int) -> Picture:
    plain = _plain_png(payload)
    try:
        picture = cv2.imdecode(np.frombuffer(plain, np.uint8), cv2.IMREAD_COLOR_BGR | cv2.IMREAD_IGNORE_ORIENTATION)
    except cv2.error as error:
        raise PoisonError("undecodable", f"a damaged PNG: {error.err}") from None
    if picture is None:
        raise PoisonError("undecodable", "a damaged PNG")
    return np.asarray(picture, np.uint8)


def _plain_png(payload: bytes) -> bytes:
    """The picture alone, every chunk whole up to IEND: cv2 pads what is missing with black.

    Without what else a PNG may carry: texts and profiles that unpack to gigabytes, frames of an animation in a size of
    their own, and whatever makes libpng write a line to stderr for each.
    """
    parts = [PNG_SIGNATURE]
    for kind, body, crc in _png_chunks(payload):
        if zlib.crc32(body, zlib.crc32(kind)) != crc:
            raise PoisonError("undecodable", "a damaged PNG: a checksum is wrong")
        if kind[0] & 0x20 == 0:  # critical, says the case of its first letter (PNG, section 5.4)
            parts += [struct.pack(">I", len(body)), kind, body, struct.pack(">I", crc)]
        if kind == b"IEND":
            return b"".join(parts)
    raise PoisonError("undecodable", "a truncated PNG")


def _png_chunks(payload: bytes) -> Iterator[tuple[bytes, bytes, int]]:
    at = len(PNG_SIGNATURE)
    while at + 12 <= len(payload):
        length = int.from_bytes(payload[at : at + 4])
        end = at + 8 + length
        if end + 4 > len(payload):
            return
        yield payload[at + 4 : at + 8], payload[at + 8 : end], int.from_bytes(payload[end : end + 4])
        at = end + 4


_DECODERS: dict[str, tuple[Callable[[bytes], tuple[int, int]], Callable[[bytes, int, int], Picture]]] = {
    "image/jpeg": (jpeg_size, _read_jpeg),
    "image/png": (png_size, _read_png),
}
