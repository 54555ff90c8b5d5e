"""The depth that most pictures of one folder have, so that a dark one among them stays dark."""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from statistics import median_low

from andon.errors import PoisonError
from andon.pictures.depth import bits_used
from andon.pictures.picture import Samples
from andon.pictures.png import SIGNATURE

DEEP = frozenset((".jp2", ".pgm", ".png", ".pnm", ".ppm", ".tif", ".tiff"))
"""Endings of formats that hold samples of more than 8 bits."""
LOOKED_AT = 12
"""Pictures of a folder, spread evenly by name. 12: a tenth of a second at 2 megapixels."""


@lru_cache(256)
def bits_in(folder: Path, samples_of: Callable[[bytes], Samples]) -> int | None:
    """The bits that most pictures of `folder` use, by a look at some of them. Blocks. Remembered for each folder.

    None: they have 8.
    """
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in DEEP and path.name[0] != ".")
    except OSError:
        return None
    step = max(1, len(paths) / LOOKED_AT)
    chosen = [paths[int(number * step)] for number in range(min(LOOKED_AT, len(paths)))]
    deep = [bits for path in chosen if (bits := _bits(path, samples_of)) > 8]
    return median_low(deep) if deep else None


def _bits(path: Path, samples_of: Callable[[bytes], Samples]) -> int:
    try:
        data = path.read_bytes()
        shallow = data[:8] == SIGNATURE and data[24:25] != b"\x10"
        return 8 if shallow else bits_used(samples_of(data))
    except (OSError, PoisonError):
        return 8  # its own reader says what is wrong with it
