"""Chooses the pictures of a folder, puts them in order, and says what a person would not expect of either."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ingest.sources.source import SourceError
from ingest.sources.tiff_pages import pages

SUFFIXES = frozenset(
    {
        *(".bmp", ".dib", ".jfif", ".jp2", ".jpe", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".pnm", ".ppm"),
        *(".tif", ".tiff", ".webp"),
    }
)
TIFF = (".tif", ".tiff")
TIFFS_LOOKED_AT = 200
"""TIFFs whose pages are counted, the first ones: on a network disk each takes milliseconds to open."""
KINDS_SHOWN = 5
"""Endings that a note names."""
_DIGITS = re.compile(r"([0-9]+)")


@dataclass(frozen=True, slots=True)
class Folder:
    """The pictures of a folder in natural order. `notes`: one line for each thing that a person may not expect."""

    pictures: tuple[Path, ...]
    notes: tuple[str, ...]


def pictures_in(folder: Path, shown: str) -> Folder:
    """The pictures in `folder`, not in its subfolders. Hidden files are none: macOS leaves `._x.jpg` beside `x.jpg`.

    Raises SourceError: the folder can't be read, or has no picture. `shown` is its name for messages.
    """
    try:
        entries = [path for path in folder.iterdir() if not path.name.startswith(".")]
        files = [path for path in entries if path.is_file()]
    except OSError as error:
        raise SourceError(f"{shown}: {error.strerror}") from None
    chosen = [path for path in files if path.suffix.lower() in SUFFIXES]
    others = [path for path in files if path.suffix.lower() not in SUFFIXES]
    left_out = _left_out(others, folders=len(entries) - len(files))
    if not chosen:
        aside = f"; {left_out[0]}" if left_out else ""
        raise SourceError(f"{shown}: no images in this folder ({', '.join(sorted(SUFFIXES))}){aside}")
    plain = sorted(chosen)
    natural = sorted(plain, key=natural_key)
    return Folder(tuple(natural), (*_order(natural, plain), *_pages(natural), *left_out))


def natural_key(path: Path) -> tuple[tuple[str | int, ...], str]:
    """Sorts names as people count: `2.jpg` before `10.jpg`. Names that differ only in leading zeros: plainly."""
    pieces = _DIGITS.split(path.stem)  # text and digits in turn, so that like is compared with like
    return tuple(int(piece) if number % 2 else piece for number, piece in enumerate(pieces)), path.name


def _order(natural: Sequence[Path], plain: Sequence[Path]) -> list[str]:
    first = next((number for number, path in enumerate(natural) if path != plain[number]), None)
    if first is None:
        return []
    return [
        f"the pictures are read in the order of the numbers in their names, {natural[first].name} before "
        f"{plain[first].name}; the plain order of the names would be the other way round"
    ]


def _pages(paths: Sequence[Path]) -> list[str]:
    counts = {path: pages(path) for path in [path for path in paths if path.suffix.lower() in TIFF][:TIFFS_LOOKED_AT]}
    several = [path for path, count in counts.items() if count > 1]
    if not several:
        return []
    first = several[0]
    return [
        f"only the first page of a TIFF is read: {first.name} has {counts[first]} pages, and {len(several)} of "
        f"{len(counts)} TIFFs have more than one; save each page as a file of its own"
    ]


def _left_out(files: Sequence[Path], *, folders: int) -> list[str]:
    notes = []
    if files:
        kinds = Counter(path.suffix.lower() or "no ending" for path in files).most_common()
        named = ", ".join(f"{count} {kind}" for kind, count in kinds[:KINDS_SHOWN])
        more = f" and {len(kinds) - KINDS_SHOWN} more endings" if len(kinds) > KINDS_SHOWN else ""
        notes.append(f"{len(files)} files are left out because of their endings: {named}{more}")
    if folders:
        notes.append(f"folders in it are not looked into: {folders}")
    return notes
