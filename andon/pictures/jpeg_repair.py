"""Tells a JPEG that breaks a rule of the standard on which no pixel depends from a damaged one.

Cameras send bytes of stuffing before markers, leave out the end marker, or write a wrong parameter that every decoder
ignores. libjpeg-turbo reads such pictures as OpenCV, Pillow and FFmpeg do, but warns; and it reports only its first
warning, behind which there may be one of another kind. So the rules are kept in a copy, and of what is still stuffed
each part that can be decoded by itself is decoded by itself: its first warning is then its only one.

Source of the warnings: libjpeg-turbo 3, jerror.h.
"""

import re
from dataclasses import replace

import simplejpeg

from andon.pictures.jpeg_header import PROGRESSIVE, SCAN
from andon.pictures.jpeg_intervals import alone
from andon.pictures.jpeg_parts import (
    ADOBE,
    JFIF,
    RESTART,
    JpegPart,
    channels_of,
    frame_of,
    joined,
    parts_of,
    scanned_by,
)

MAX_STUFFING_BYTES = 512
"""More bytes that no decoder reads are stuffing only if all are the same; else they are the rest of another picture."""
MAX_REFINED = 16
"""Scans of a progressive JPEG with stuffing, each of which takes a decoding of all before it. An encoder makes 10."""
_STUFFING = re.compile(r"Corrupt JPEG data: (\d+) extraneous bytes before marker 0x(\w\w)")


def repaired(payload: bytes) -> bytes | None:
    """A copy that ends with an end marker, without bytes between its segments and with the usual parameters.

    None: it can't be taken apart. The coded data is the same in both.
    """
    parts = parts_of(payload)
    if not any(part.marker == SCAN for part in parts):
        return None
    frame = frame_of(parts)
    return None if frame is None else joined([_usual(part, frame) for part in parts])


def missing_scans(payload: bytes) -> str:
    """What the scans do not say of the picture; empty: they say everything.

    libjpeg draws such a picture without a warning, smoothed; others draw it with blocks.
    """
    parts = parts_of(payload)
    frame = frame_of(parts)
    if frame is None:
        return "no frame"
    left = {(channel.spec[0], number): True for channel in channels_of(frame) for number in range(64)}
    for part in parts:
        if part.marker != SCAN or len(part.body) < 4:
            continue
        first, last, precision = part.body[-3], part.body[-2], part.body[-1] & 15
        if frame.marker != PROGRESSIVE:
            first, last, precision = 0, 63, 0
        if precision == 0:
            for ident in scanned_by(part):
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
    parts = parts_of(payload)
    frame = frame_of(parts)
    assert frame is not None  # `repaired` found it
    if found[2] == "d9" and not (frame.marker != PROGRESSIVE and any(part.marker == RESTART for part in parts)):
        _require_stuffing(warning, parts[-1].data)  # at the very end, and nothing was wrong before
        return
    if frame.marker == PROGRESSIVE:
        _require_stuffed_scans(parts, warning)
        return
    for interval in alone(parts, frame):
        if (ffmpeg_warning := _warning(interval.jpeg, interval.colours)) is not None:
            _require_stuffing(ffmpeg_warning, interval.data)


def _require_stuffed_scans(parts: list[JpegPart], warning: str) -> None:
    """Of a progressive JPEG, whose scans refine each other: scan after scan, each without its stuffing."""
    numbers = [number for number, part in enumerate(parts) if part.marker == SCAN]
    if len(numbers) > MAX_REFINED:
        raise ValueError(f"{warning}, in a progressive JPEG of {len(numbers)} scans")
    for number in numbers:
        while (ffmpeg_warning := _warning(joined(parts[: number + 1]))) is not None:
            _require_stuffing(ffmpeg_warning, parts[number].data)
            kept = parts[number].data[: -max(1, _stuffing_bytes(ffmpeg_warning) or 0)]
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


def _usual(part: JpegPart, frame: JpegPart) -> JpegPart:
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
