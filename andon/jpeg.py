"""A JPEG's headers, which describe a picture before it is decoded. Source: ITU-T T.81, annex B."""

from collections.abc import Iterator

START = b"\xff\xd8"
SCAN = 0xDA
ALONE = frozenset({0x01, *range(0xD0, 0xD8)})
"""Markers without a segment: TEM and RST0-7."""


def segments(payload: bytes) -> Iterator[tuple[int, bytes]]:
    """Each marker up to the first scan's, with its segment. Ends early at a header that cannot be read."""
    at = len(START) if payload.startswith(START) else len(payload)
    while at + 4 <= len(payload) and payload[at] == 0xFF:
        marker = payload[at + 1]
        if marker == 0xFF or marker in ALONE:  # fill bytes may stand before a marker
            at += 1 if marker == 0xFF else 2
            continue
        end = at + 2 + int.from_bytes(payload[at + 2 : at + 4])
        if end < at + 4 or end > len(payload):
            return
        yield marker, payload[at + 4 : end]
        if marker == SCAN:
            return
        at = end
