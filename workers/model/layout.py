"""Finds the pictures and label files of a dataset, in the layouts that labelling tools export and ultralytics reads.

Source: ultralytics 8.4, `data/utils.py` (`check_det_dataset`, `img2label_paths`) and `data/base.py` (`get_img_files`).
"""

import glob
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from andon.errors import ConfigError

ENDINGS = frozenset(
    (".avif", ".bmp", ".dng", ".heic", ".heif", ".jp2", ".jpeg", ".jpg", ".mpo", ".png", ".tif", ".tiff", ".webp")
)
"""ultralytics' own: a picture that it trains on is never left out of a measurement."""
SPLITS = ("train", "val", "test")


def find_yaml(path: Path) -> Path:
    """The dataset's YAML, which may be named by its folder. Raises ConfigError unless the folder has exactly one."""
    if not path.is_dir():
        return path
    found = sorted(path.glob("*.yaml")) or sorted(path.glob("*.yml"))
    if len(found) > 1:
        found = [file for file in found if file.stem in ("data", "dataset", path.resolve().name)]
    if len(found) != 1:
        raise ConfigError(f"{path}: a folder with {len(found) or 'no'} datasets in it: --data names a dataset's YAML")
    return found[0]


def roots(yaml_path: Path, value: Any) -> tuple[Path, ...]:
    """Where relative paths may start, best first: at `path`, from the YAML or the working directory; at the YAML.

    A `path` that is not on this machine was written on another one, so the YAML's folder is tried, too.
    """
    given = Path(_slashes(value or "."))
    starts = (yaml_path.parent / given, given, yaml_path.parent)
    return tuple(dict.fromkeys(start.resolve() for start in starts if start.is_dir()))


def pictures(value: Any, starts: Sequence[Path], named: str) -> tuple[Path, ...]:
    """The pictures of one split, in the order of their names. `named` begins each message.

    `value`: a folder, a text file that lists pictures, or several of them. Raises ConfigError if one is missing.
    """
    places = value if isinstance(value, list) else [value]
    found = [picture for place in places for picture in _in(_place(str(place), starts, named), starts, named)]
    return tuple(sorted(map(_labelled, found)))


def _labelled(picture: Path) -> Path:
    """The path beside which the labels lie: through links as they stand, or else where these lead."""
    if labels_of(picture).is_file():
        return picture
    real = picture.resolve()
    return real if labels_of(real).is_file() else picture


def labels_of(picture: Path) -> Path:
    """The last folder `images` of the path becomes `labels`."""
    parts = list(picture.with_suffix(".txt").parts)
    last = max((index for index, part in enumerate(parts[:-1]) if part == "images"), default=None)
    if last is not None:
        parts[last] = "labels"
    return Path(*parts)


def _place(value: str, starts: Sequence[Path], named: str) -> Path:
    """Roboflow writes `../train/images` for a folder beside the YAML, so a leading `../` is dropped where it leads
    nowhere."""
    text = _slashes(value)
    for start in starts:
        for way in (text, text.removeprefix("../")):
            if (start / way).exists():
                return Path(os.path.abspath(start / way))
    missing = starts[0] / text if starts else Path(text)
    raise ConfigError(f"{named}: {missing}: no such folder of pictures, nor a list of them")


def _in(place: Path, starts: Sequence[Path], named: str) -> Iterator[Path]:
    if place.is_dir():
        # unlike Path.rglob, glob follows links to folders and leaves out hidden files
        pattern = os.path.join(glob.escape(str(place)), "**", "*.*")
        yield from (file for file in map(Path, glob.glob(pattern, recursive=True)) if _is_picture(file))
    else:
        yield from _listed(place, starts, named)


def _listed(path: Path, starts: Sequence[Path], named: str) -> Iterator[Path]:
    """The pictures that a text file lists, a line each."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{named}: {path}: not a list of pictures ({type(error).__name__})") from None
    numbered = [(number, Path(_slashes(line.strip()))) for number, line in enumerate(lines, 1)]
    numbered = [(number, line) for number, line in numbered if _is_picture(line)]
    if not numbered:
        return
    base, dropped = _origin(numbered[0][1], (path.parent, *starts, Path.cwd()))
    for number, line in numbered:
        picture = Path(os.path.abspath(base.joinpath(*line.parts[dropped:])))
        if not picture.is_file():
            raise ConfigError(f"{named}: {path}: line {number}: {line}: no such picture")
        yield picture


def _origin(line: Path, bases: Sequence[Path]) -> tuple[Path, int]:
    """Where the lines of a list start, and how many of their first folders are not on this machine: by one of them.

    CVAT writes `data/images/train/1.png` beside `images`; others write paths of the machine that labelled.
    """
    for dropped in range(len(line.parts)):
        for base in bases:
            if base.joinpath(*line.parts[dropped:]).is_file():
                return base, dropped
    return bases[0], 0


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in ENDINGS


def _slashes(value: object) -> str:
    """Windows writes backslashes. A name on Linux may have one, so it stays where the file is there."""
    text = str(value)
    return text if "\\" not in text or Path(text).exists() else text.replace("\\", "/")
