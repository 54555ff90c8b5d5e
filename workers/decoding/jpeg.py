"""Decodes `image/jpeg` with libjpeg-turbo, which reports a damaged picture where OpenCV would fill it up with grey."""

import struct

import simplejpeg

from andon.errors import PoisonError
from andon.jpeg import segments
from workers.detector import Picture

FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Markers whose segment carries the picture's size: SOF0-15 without DHT (C4), JPG (C8) and DAC (CC). Source: ITU-T
T.81, table B.1."""
MAX_SCANS = 100
"""An encoder makes about 10. Each scan takes the decoder through the whole picture: 20,000 of them fit into a small
record and keep it busy for minutes. Source: libjpeg-turbo, "Two issues with the JPEG standard"."""


def size(payload: bytes) -> tuple[int, int]:
    """Width and height in pixels. Raises PoisonError where the header does not lead to a frame."""
    for marker, body in segments(payload):
        if marker in FRAMES and len(body) >= 5:  # precision (1), height (2), width (2)
            height, width = struct.unpack(">HH", body[1:5])
            return width, height
    raise PoisonError("undecodable", "not a JPEG, or one without a frame header")


def read(payload: bytes, width: int, height: int) -> Picture:
    """At least this large: libjpeg's cheap factors (8, 4, 2) shrink it no further."""
    scans = payload.count(b"\xff\xda")
    if scans > MAX_SCANS:
        raise PoisonError("undecodable", f"a JPEG of {scans} scans; at most {MAX_SCANS} are read")
    try:
        picture: Picture = simplejpeg.decode_jpeg(payload, "BGR", min_height=height, min_width=width, strict=True)
    except ValueError as error:
        raise PoisonError("undecodable", f"a damaged JPEG: {error}") from None
    return picture
