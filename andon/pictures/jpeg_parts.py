"""Takes a JPEG apart into its segments and coded data, and puts it together again. Decodes nothing.

Source of markers, parts and sampling: ITU-T T.81, annexes A and B.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from andon.pictures.jpeg_header import ALONE, END, FRAMES, SCAN, START

TABLES, QUANTIZERS, RESTART, JFIF, ADOBE = 0xC4, 0xDB, 0xDD, 0xE0, 0xEE
_NEXT_MARKER = re.compile(rb"\xff+[^\x00\xff\xd0-\xd7]")


@dataclass(frozen=True, slots=True)
class JpegPart:
    """A segment and, behind that of a scan, its coded data with the restart markers in it."""

    marker: int
    body: bytes = field(repr=False)
    data: bytes = field(default=b"", repr=False)

    def __bytes__(self) -> bytes:
        return b"\xff%c%b%b%b" % (self.marker, (len(self.body) + 2).to_bytes(2), self.body, self.data)


@dataclass(frozen=True, slots=True)
class JpegChannel:
    """One of the frame's channels, with its sampling factors."""

    spec: bytes = field(repr=False)
    """As it stands in the frame's segment: id, factors, quantizer."""

    @property
    def across(self) -> int:
        return self.spec[1] >> 4

    @property
    def down(self) -> int:
        return self.spec[1] & 15


def parts_of(payload: bytes) -> list[JpegPart]:
    """Up to the end marker, or as far as they can be read."""
    parts: list[JpegPart] = []
    at = len(START) if payload.startswith(START) else len(payload)
    while (at := payload.find(0xFF, at)) >= 0 and at + 4 <= len(payload):
        marker = payload[at + 1]
        if marker == END[1]:
            break
        if marker in (0x00, 0xFF) or marker in ALONE:
            at += 1 if marker == 0xFF else 2
            continue
        body = payload[at + 4 : at + 2 + int.from_bytes(payload[at + 2 : at + 4])]
        at += 4 + len(body)
        if marker == SCAN:
            following = _NEXT_MARKER.search(payload, at)
            end = len(payload) if following is None else following.start()
            parts.append(JpegPart(marker, body, payload[at:end]))
            at = end
        else:
            parts.append(JpegPart(marker, body))
    return parts


def joined(parts: Sequence[JpegPart]) -> bytes:
    return START + b"".join(map(bytes, parts)).rstrip(b"\xff") + END


def frame_of(parts: Sequence[JpegPart]) -> JpegPart | None:
    return next((part for part in parts if part.marker in FRAMES and len(part.body) >= 6 + 3 * part.body[5]), None)


def channels_of(frame: JpegPart) -> list[JpegChannel]:
    return [JpegChannel(frame.body[at : at + 3]) for at in range(6, 6 + 3 * frame.body[5], 3)]


def scanned_by(scan: JpegPart) -> bytes:
    """The ids of its channels."""
    return scan.body[1 : 1 + 2 * scan.body[0] : 2]
