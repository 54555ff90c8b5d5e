"""Counts the pages of a TIFF without decoding any. Source: TIFF 6.0, section 2; BigTIFF: Adobe's TIFF Technote 4."""

from pathlib import Path
from typing import BinaryIO, Literal

MAX_PAGES = 10_000
"""Where the count ends: a damaged file may have a chain of pages that closes on itself."""


def pages(path: Path) -> int:
    """The number of pages; 1 for a file that can't be read or is no TIFF: its reader says what is wrong with it."""
    try:
        with path.open("rb") as file:
            return max(1, _count(file))
    except OSError:
        return 1


def _count(file: BinaryIO) -> int:
    start = file.read(16)
    order: Literal["little", "big"] = "little" if start[:2] == b"II" else "big"
    big = int.from_bytes(start[2:4], order) == 43
    # bytes of an offset, of the number of entries in a directory, and of one entry
    offset_bytes, count_bytes, entry_bytes = (8, 8, 20) if big else (4, 2, 12)
    first = 8 if big else 4
    offset, offsets = int.from_bytes(start[first : first + offset_bytes], order), set[int]()
    while offset and offset not in offsets and len(offsets) < MAX_PAGES:
        file.seek(offset)
        count = file.read(count_bytes)
        if len(count) < count_bytes:  # the chain leads out of the file
            break
        offsets.add(offset)
        file.seek(int.from_bytes(count, order) * entry_bytes, 1)
        offset = int.from_bytes(file.read(offset_bytes), order)
    return len(offsets)
