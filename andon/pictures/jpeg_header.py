"""A JPEG's headers, which describe a picture before it is decoded. Imports no decoder.

Source of markers and tables: ITU-T T.81, annex B.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from andon.pictures.exif import orientation_of

START, END = b"\xff\xd8", b"\xff\xd9"
SCAN, TABLES, EXIF = 0xDA, 0xC4, 0xE1
ALONE = frozenset({0x01, *range(0xD0, 0xD8)})
"""Markers without a segment: TEM and RST0-7."""
FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
"""Markers whose segment carries the picture's size: SOF0-15 without DHT (C4), JPG (C8) and DAC (CC)."""
PROGRESSIVE = 0xC2
SEQUENTIAL = (0xC0, 0xC1)
SPREAD = (*SEQUENTIAL, PROGRESSIVE)
"""Codings that every decoder knows: baseline, extended and progressive with Huffman coding."""


@dataclass(frozen=True, slots=True)
class JpegHeader:
    """What stands before the first scan."""

    coding: int
    """The marker of its frame."""
    bits: int
    width: int
    height: int
    channels: int
    orientation: int
    """As Exif's, 1 to 8."""
    has_tables: bool
    """Huffman tables of its own."""
    scanned: int
    """Channels in the first scan; 0: there is no scan."""

    @property
    def in_one_scan(self) -> bool:
        return self.scanned == self.channels and self.coding in SEQUENTIAL


def segments(payload: bytes) -> Iterator[tuple[int, bytes]]:
    """Each marker up to the first scan's, with its segment. Ends early at a header that cannot be read.

    Bytes between two segments that belong to none are passed over, as every decoder does.
    """
    at = len(START) if payload.startswith(START) else len(payload)
    while (at := payload.find(0xFF, at)) >= 0 and at + 4 <= len(payload):
        marker = payload[at + 1]
        if marker in (0x00, 0xFF) or marker in ALONE:  # fill bytes may stand before a marker
            at += 1 if marker == 0xFF else 2
            continue
        end = at + 2 + int.from_bytes(payload[at + 2 : at + 4])
        if end < at + 4 or end > len(payload):
            return
        yield marker, payload[at + 4 : end]
        if marker == SCAN:
            return
        at = end


def read_header(payload: bytes) -> JpegHeader | None:
    """None: it is no JPEG, or one without a frame."""
    coding, frame, turn, tables, scanned = 0, b"", 1, False, 0
    for marker, body in segments(payload):
        if marker == SCAN:
            scanned = body[0] if body else 0
        elif marker == TABLES:
            tables = True
        elif marker == EXIF:
            turn = orientation_of(body) if turn == 1 else turn
        elif marker in FRAMES and len(body) >= 6:  # precision (1), height (2), width (2), channels (1)
            coding, frame = marker, body
    if not frame:
        return None
    height, width = int.from_bytes(frame[1:3]), int.from_bytes(frame[3:5])
    return JpegHeader(coding, frame[0], width, height, frame[5], turn, tables, scanned)


def passable(payload: bytes) -> tuple[int, int] | None:
    """Width and height of a JPEG that can be passed on as it is; None: it is no JPEG, or must be encoded anew.

    Not passed on: a JPEG without Huffman tables of its own (as AVI allows), with a coding, a depth or channels that not
    every decoder knows, or with a request to turn it before it is shown, because boxes are drawn on it as it lies.
    """
    header = read_header(payload)
    if header is None or header.coding not in SPREAD or header.bits != 8 or header.channels not in (1, 3):
        return None
    if header.orientation != 1 or not header.has_tables or not header.scanned:
        return None
    return (header.width, header.height) if header.width and header.height else None


def with_end(payload: bytes) -> bytes:
    """The JPEG with its end marker, which some cameras leave out and some decoders insist on."""
    if not payload.startswith(START) or payload.rfind(END) > payload.rfind(b"\xff\xda"):
        return payload
    return payload.removesuffix(b"\xff") + END
