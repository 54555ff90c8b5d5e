"""Tells a JPEG that breaks a rule of the standard on which no pixel depends from a damaged one.

Cameras send bytes of stuffing before markers, leave out the end marker, or write a wrong parameter that every decoder
ignores. libjpeg-turbo reads such pictures as OpenCV, Pillow and FFmpeg do, but warns; and it reports only its first
warning, behind which there may be one of another kind. So the rules are kept in a copy, and of what is still stuffed
each part that can be decoded by itself is decoded by itself: its first warning is then its only one.

Source of markers, parts and sampling: ITU-T T.81, annexes A and B; of the warnings: libjpeg-turbo 3, jerror.h.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

import simplejpeg

from andon.pictures.jpeg_header import ALONE, END, FRAMES, PROGRESSIVE, SCAN, START

TABLES, QUANTIZERS, RESTART, JFIF, ADOBE = 0xC4, 0xDB, 0xDD, 0xE0, 0xEE
MAX_STUFFING_BYTES = 512
"""More bytes that no decoder reads are stuffing only if all are the same; else they are the rest of another picture."""
MAX_REFINED = 16
"""Scans of a progressive JPEG with stuffing, each of which takes a decoding of all before it. An encoder makes 10."""
MAX_SIDE_PX = 65_500
MAX_INTERVALS = 10_000
"""That are decoded one by one. 10,000: half a second. A restart marker in each line makes a few hundred."""
_STUFFING = re.compile(r"Corrupt JPEG data: (\d+) extraneous bytes before marker 0x(\w\w)")
_NEXT_MARKER = re.compile(rb"\xff+[^\x00\xff\xd0-\xd7]")
_RESTARTS = re.compile(rb"\xff+([\xd0-\xd7])")


@dataclass(frozen=True, slots=True)
class Part:
    """A segment and, behind that of a scan, its coded data with the restart markers in it."""

    marker: int
    body: bytes = field(repr=False)
    data: bytes = field(default=b"", repr=False)

    def __bytes__(self) -> bytes:
        return b"\xff%c%b%b%b" % (self.marker, (len(self.body) + 2).to_bytes(2), self.body, self.data)


@dataclass(frozen=True, slots=True)
class Channel:
    """One of the frame's channels, with its sampling factors."""

    spec: bytes = field(repr=False)
    """As it stands in the frame's segment: id, factors, quantizer."""

    @property
    def across(self) -> int:
        return self.spec[1] >> 4

    @property
    def down(self) -> int:
        return self.spec[1] & 15


def repaired(payload: bytes) -> bytes | None:
    """A copy that ends with an end marker, without bytes between its segments and with the usual parameters.

    None: it can't be taken apart. The coded data is the same in both.
    """
    parts = _parts(payload)
    if not any(part.marker == SCAN for part in parts):
        return None
    frame = _frame(parts)
    return None if frame is None else _joined([_usual(part, frame) for part in parts])


def missing_scans(payload: bytes) -> str:
    """What the scans do not say of the picture; empty: they say everything.

    libjpeg draws such a picture without a warning, smoothed; others draw it with blocks.
    """
    parts = _parts(payload)
    frame = _frame(parts)
    if frame is None:
        return "no frame"
    left = {(channel.spec[0], number): True for channel in _channels(frame) for number in range(64)}
    for part in parts:
        if part.marker != SCAN or len(part.body) < 4:
            continue
        first, last, precision = part.body[-3], part.body[-2], part.body[-1] & 15
        if frame.marker != PROGRESSIVE:
            first, last, precision = 0, 63, 0
        if precision == 0:
            for ident in _scanned(part):
                for number in range(first, min(last, 63) + 1):
                    left.pop((ident, number), None)
    return f"scans are missing, {len(left)} coefficients of a block are not complete" if left else ""


def require_stuffing_only(payload: bytes, warning: str) -> None:
    """`payload` is one that `repaired` returned, and `warning` libjpeg's first.

    Raises ValueError with the reason if there is anything else than stuffing that no decoder reads.
    """
    found = _STUFFING.fullmatch(warning)
    if found is None:
        raise ValueError(warning)
    parts = _parts(payload)
    frame = _frame(parts)
    assert frame is not None  # `repaired` found it
    if found[2] == "d9" and not (frame.marker != PROGRESSIVE and any(part.marker == RESTART for part in parts)):
        _require_stuffing(warning, parts[-1].data)  # at the very end, and nothing was wrong before
        return
    if frame.marker == PROGRESSIVE:
        _require_stuffed_scans(parts, warning)
        return
    for alone in _alone(parts, frame):
        if (said := _warning(alone.jpeg, alone.colours)) is not None:
            _require_stuffing(said, alone.data)


def _require_stuffed_scans(parts: list[Part], warning: str) -> None:
    """Of a progressive JPEG, whose scans refine each other: scan after scan, each without its stuffing."""
    numbers = [number for number, part in enumerate(parts) if part.marker == SCAN]
    if len(numbers) > MAX_REFINED:
        raise ValueError(f"{warning}, in a progressive JPEG of {len(numbers)} scans")
    for number in numbers:
        while (said := _warning(_joined(parts[: number + 1]))) is not None:
            _require_stuffing(said, parts[number].data)
            kept = parts[number].data[: -max(1, _stuffing_bytes(said) or 0)]
            parts[number] = replace(parts[number], data=kept)


def _warning(jpeg: bytes, colours: str = "BGR") -> str | None:
    """libjpeg's first one, at the smallest size."""
    try:
        simplejpeg.decode_jpeg(jpeg, colours, min_height=1, min_width=1, strict=True)
    except ValueError as error:
        return str(error)
    return None


def _require_stuffing(warning: str, data: bytes) -> None:
    count = _stuffing_bytes(warning)
    if count is None or (count > MAX_STUFFING_BYTES and len(set(data[-count:])) > 1):
        raise ValueError(warning)


def _stuffing_bytes(warning: str) -> int | None:
    """As libjpeg counts them: up to 8 fewer than there are. None: it warns of something else."""
    found = _STUFFING.fullmatch(warning)
    return int(found[1]) if found else None


# ---- the parts of a JPEG


def _parts(payload: bytes) -> list[Part]:
    """Up to the end marker, or as far as they can be read."""
    parts: list[Part] = []
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
            parts.append(Part(marker, body, payload[at:end]))
            at = end
        else:
            parts.append(Part(marker, body))
    return parts


def _joined(parts: Sequence[Part]) -> bytes:
    return START + b"".join(map(bytes, parts)).rstrip(b"\xff") + END


def _frame(parts: Sequence[Part]) -> Part | None:
    return next((part for part in parts if part.marker in FRAMES and len(part.body) >= 6 + 3 * part.body[5]), None)


def _channels(frame: Part) -> list[Channel]:
    return [Channel(frame.body[at : at + 3]) for at in range(6, 6 + 3 * frame.body[5], 3)]


def _scanned(scan: Part) -> bytes:
    """The ids of its channels."""
    return scan.body[1 : 1 + 2 * scan.body[0] : 2]


def _usual(part: Part, frame: Part) -> Part:
    """With the values that every decoder takes in place of others."""
    body = bytearray(part.body)
    if part.marker == JFIF and part.body[:5] == b"JFIF\0" and len(body) >= 7:
        body[5] = 1  # the major version
    elif part.marker == ADOBE and part.body[:5] == b"Adobe" and len(body) >= 12:
        known, usual = ((0, 2), 2) if frame.body[5] == 4 else ((0, 1), 1)
        body[11] = body[11] if body[11] in known else usual  # how the colours are coded
    elif part.marker == SCAN and frame.marker != PROGRESSIVE and len(body) >= 4:
        body[-3:] = b"\x00\x3f\x00"  # all coefficients, at full precision
    return replace(part, body=bytes(body))


# ---- parts that can be decoded by themselves


@dataclass(frozen=True, slots=True)
class Alone:
    """One restart interval as a JPEG of its own."""

    jpeg: bytes = field(repr=False)
    colours: str
    data: bytes = field(repr=False)


def _alone(parts: Sequence[Part], frame: Part) -> Iterator[Alone]:
    """Every restart interval of every scan of a sequential JPEG. Raises ValueError: one is missing."""
    tables: list[Part] = []
    interval = 0
    for part in parts:
        if part.marker in (TABLES, QUANTIZERS, JFIF, ADOBE):
            tables.append(part)
        elif part.marker == RESTART:
            interval = int.from_bytes(part.body[:2])
        elif part.marker == SCAN:
            yield from _intervals(part, frame, interval, tables)


def _intervals(scan: Part, frame: Part, interval: int, tables: Sequence[Part]) -> Iterator[Alone]:
    channels = [channel for channel in _channels(frame) if channel.spec[0] in _scanned(scan)]
    total = _units(frame, channels)
    interval = interval or total
    single = len(channels) == 1
    across = 8 * (1 if single else max(channel.across for channel in channels))
    down = 8 * (1 if single else max(channel.down for channel in channels))
    specs = [channel.spec[:1] + b"\x11" + channel.spec[2:] if single else channel.spec for channel in channels]
    for number, piece in enumerate(_pieces(scan, _ceil(total, interval))):
        width, height = _arranged(min(interval, total - number * interval), across, down)
        size = height.to_bytes(2) + width.to_bytes(2)
        small = Part(frame.marker, b"%c%b%c%b" % (frame.body[0], size, len(specs), b"".join(specs)))
        jpeg = _joined([*tables, small, Part(SCAN, scan.body, piece)])
        yield Alone(jpeg, {1: "GRAY", 4: "CMYK"}.get(len(specs), "BGR"), piece)


def _pieces(scan: Part, count: int) -> list[bytes]:
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


def _units(frame: Part, channels: Sequence[Channel]) -> int:
    """How many units a scan of these channels has: blocks of one channel, or groups of blocks of several."""
    height, width = int.from_bytes(frame.body[1:3]), int.from_bytes(frame.body[3:5])
    across = max(channel.across for channel in _channels(frame))
    down = max(channel.down for channel in _channels(frame))
    if len(channels) > 1:
        return _ceil(width, 8 * across) * _ceil(height, 8 * down)
    (one,) = channels
    return _ceil(_ceil(width * one.across, across), 8) * _ceil(_ceil(height * one.down, down), 8)


def _ceil(number: int, by: int) -> int:
    return -(-number // by)
