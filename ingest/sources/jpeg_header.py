"""Decides by their headers which JPEGs can be passed on as they are: those that the workers' decoder reads as FFmpeg's
or OpenCV's does. All others are decoded here and encoded anew.

Source of markers and tables: ITU-T T.81, annex B; of the orientation: Exif 2.32, 4.6.
"""

from andon.jpeg import SCAN, segments

FRAMES = (0xC0, 0xC1, 0xC2)
"""Baseline, extended and progressive with Huffman coding: SOF0-2."""
TABLES, EXIF = 0xC4, 0xE1
Size = tuple[int, int]
"""Width and height in pixels."""


def passable(payload: bytes) -> Size | None:
    """The picture's size; None: it is no JPEG, or one that must not be passed on as it is.

    Not passed on: a JPEG without Huffman tables of its own (as AVI allows), with a coding or channels that not every
    decoder knows, or with a request to turn it before it is shown, because boxes are drawn on it as it lies.
    """
    size, tables = None, False
    for marker, body in segments(payload):
        if marker == SCAN:
            return size if tables else None
        if marker in FRAMES:
            size = _size(body)
        elif marker == TABLES:
            tables = True
        elif marker == EXIF and _turned(body):
            return None
    return None


def _size(body: bytes) -> Size | None:
    """Precision (1), height (2), width (2), components (1)."""
    if len(body) < 6 or body[0] != 8 or body[5] not in (1, 3):
        return None
    height, width = int.from_bytes(body[1:3]), int.from_bytes(body[3:5])
    return (width, height) if width and height else None


def _turned(body: bytes) -> bool:
    """Whether Exif asks to turn or mirror the picture: tag 0x112 of its first directory is there and not 1."""
    if body[:6] != b"Exif\0\0":
        return False
    tiff = body[6:]
    little = tiff[:2] == b"II"

    def number(at: int, count: int) -> int:
        return int.from_bytes(tiff[at : at + count], "little" if little else "big")

    first = number(4, 4)
    entries = range(first + 2, first + 2 + 12 * min(number(first, 2), 1000), 12)
    return any(number(at, 2) == 0x112 and number(at + 8, 2) != 1 for at in entries)
