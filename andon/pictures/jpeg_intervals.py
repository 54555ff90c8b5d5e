"""The restart intervals of a sequential JPEG, each as a JPEG of its own: none of them depends on another.

Source of sampling and restart intervals: ITU-T T.81, annex A.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from andon.pictures.jpeg_header import SCAN
from andon.pictures.jpeg_parts import (
    ADOBE,
    JFIF,
    QUANTIZERS,
    RESTART,
    TABLES,
    JpegChannel,
    JpegPart,
    channels_of,
    joined,
    scanned_by,
)

MAX_SIDE_PX = 65_500
MAX_INTERVALS = 10_000
"""That are decoded one by one. 10,000: half a second. A restart marker in each line makes a few hundred."""
_RESTARTS = re.compile(rb"\xff+([\xd0-\xd7])")


@dataclass(frozen=True, slots=True)
class Alone:
    """One restart interval as a JPEG of its own."""

    jpeg: bytes = field(repr=False)
    colours: str
    data: bytes = field(repr=False)


def alone(parts: Sequence[JpegPart], frame: JpegPart) -> Iterator[Alone]:
    """Every restart interval of every scan of a sequential JPEG. Raises ValueError: one is missing."""
    tables: list[JpegPart] = []
    interval = 0
    for part in parts:
        if part.marker in (TABLES, QUANTIZERS, JFIF, ADOBE):
            tables.append(part)
        elif part.marker == RESTART:
            interval = int.from_bytes(part.body[:2])
        elif part.marker == SCAN:
            yield from _intervals(part, frame, interval, tables)


def _intervals(scan: JpegPart, frame: JpegPart, interval: int, tables: Sequence[JpegPart]) -> Iterator[Alone]:
    channels = [channel for channel in channels_of(frame) if channel.spec[0] in scanned_by(scan)]
    total = _units(frame, channels)
    interval = interval or total
    single = len(channels) == 1
    across = 8 * (1 if single else max(channel.across for channel in channels))
    down = 8 * (1 if single else max(channel.down for channel in channels))
    specs = [channel.spec[:1] + b"\x11" + channel.spec[2:] if single else channel.spec for channel in channels]
    for number, piece in enumerate(_pieces(scan, _ceil(total, interval))):
        width, height = _arranged(min(interval, total - number * interval), across, down)
        size = height.to_bytes(2) + width.to_bytes(2)
        small = JpegPart(frame.marker, b"%c%b%c%b" % (frame.body[0], size, len(specs), b"".join(specs)))
        jpeg = joined([*tables, small, JpegPart(SCAN, scan.body, piece)])
        yield Alone(jpeg, {1: "GRAY", 4: "CMYK"}.get(len(specs), "BGR"), piece)


def _pieces(scan: JpegPart, count: int) -> list[bytes]:
    """The coded data between its restart markers. Raises ValueError unless there are `count`, in their order."""
    pieces = _RESTARTS.split(scan.data)[::2]
    if len(pieces) > 1 and not pieces[-1]:
        pieces.pop()  # a restart marker right before the next marker
    numbers = [marker[0] - 0xD0 for marker in _RESTARTS.findall(scan.data)][: len(pieces) - 1]
    if len(pieces) != count or numbers != [at % 8 for at in range(count - 1)]:
        raise ValueError("Corrupt JPEG data: restart markers are missing or out of order")
    if count > MAX_INTERVALS:
        raise ValueError(f"Corrupt JPEG data: stuffing in one of {count} intervals; {MAX_INTERVALS} are looked at")
    return pieces


def _arranged(count: int, across: int, down: int) -> tuple[int, int]:
    """Width and height in pixels of a picture of `count` units of this size. Raises ValueError: there is none."""
    rows = next(rows for rows in range(1, count + 1) if count % rows == 0 and count // rows * across <= MAX_SIDE_PX)
    if rows * down > MAX_SIDE_PX:
        raise ValueError("Corrupt JPEG data: stuffing in intervals of an odd length")
    return count // rows * across, rows * down


def _units(frame: JpegPart, channels: Sequence[JpegChannel]) -> int:
    """How many units a scan of these channels has: blocks of one channel, or groups of blocks of several."""
    height, width = int.from_bytes(frame.body[1:3]), int.from_bytes(frame.body[3:5])
    across = max(channel.across for channel in channels_of(frame))
    down = max(channel.down for channel in channels_of(frame))
    if len(channels) > 1:
        return _ceil(width, 8 * across) * _ceil(height, 8 * down)
    (one,) = channels
    return _ceil(_ceil(width * one.across, across), 8) * _ceil(_ceil(height * one.down, down), 8)


def _ceil(number: int, by: int) -> int:
    return -(-number // by)
