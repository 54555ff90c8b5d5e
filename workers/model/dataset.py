"""Reads datasets in YOLO format: a YAML with classes and folders of pictures, and a text file of labels per picture.

Unlike ultralytics' reader, this one downloads, writes and repairs nothing: a measurement uses the files as they are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml
from numpy.typing import NDArray

from andon.errors import ConfigError, PoisonError
from workers.decoding import decode
from workers.detector import Picture

ENDINGS = frozenset((".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"))
TYPES = {".jpg": "image/jpeg", ".jpeg": "image/jpeg", ".png": "image/png"}
"""The content types of a line are decoded by the worker's own decoders."""
LIMITS = decode.PictureLimits(max_bytes=1 << 30, max_pixels=1 << 30)
BOX_COLUMNS = 4
"""Centre x and y, width and height. More pairs of columns are the points of a polygon."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """The content of a data.yaml, with resolved paths."""

    path: Path
    """Of the YAML itself."""
    classes: tuple[str, ...]
    splits: dict[str, tuple[Path, ...]]
    """The pictures of `train`, `val` and `test`, if present, in the order of their names."""
    document: dict[str, Any]
    """The whole YAML with absolute paths, for ultralytics."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A picture and its labels."""

    path: Path
    classes: NDArray[np.int64]
    """(n,): indices into the dataset's classes."""
    boxes: NDArray[np.float64]
    """(n, 4): x1, y1, x2, y2 as fractions of the picture's width and height."""


def read_dataset(path: Path) -> Dataset:
    """Raises ConfigError, in one line, if `path` is not a dataset's YAML."""
    try:
        said = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}: --data names a dataset's YAML") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not a dataset's YAML ({type(error).__name__})") from None
    if not isinstance(said, dict) or not said.get("names") or not (said.get("val") or said.get("test")):
        raise ConfigError(f"{path}: not a dataset's YAML, which has `names`, `train` and `val`")
    root = _root(path, said)
    document = {key: value for key, value in said.items() if key != "download"} | {"path": str(root)}
    splits: dict[str, tuple[Path, ...]] = {}
    for split in ("train", "val", "test"):
        if said.get(split):
            places = _places(said[split], root)
            document[split] = [str(place) for place in places]
            splits[split] = tuple(sorted(picture for place in places for picture in _pictures(place, path, split)))
    return Dataset(path, _names(said["names"], path), splits, document)


def samples(dataset: Dataset, split: str, most: int | None = None) -> list[Sample]:
    """The split's pictures, or `most` of them, spread evenly. Raises ConfigError for a missing split or bad labels."""
    pictures = dataset.splits.get(split, ())
    if not pictures:
        raise ConfigError(f"{dataset.path}: no pictures for `{split}`")
    if most is not None and len(pictures) > most:
        pictures = tuple(pictures[index * len(pictures) // most] for index in range(most))
    keypoints = dataset.document.get("kpt_shape") is not None
    return [_sample(picture, len(dataset.classes), keypoints) for picture in pictures]


def picture(path: Path) -> Picture:
    """(H, W, 3) BGR. Raises ConfigError if it can't be read."""
    kind = TYPES.get(path.suffix.lower())
    try:
        if kind is not None:
            return decode.decode(path.read_bytes(), kind, LIMITS).pixels
        read = cv2.imread(str(path), cv2.IMREAD_COLOR)
    except (OSError, PoisonError, cv2.error) as error:
        raise ConfigError(f"{path}: not a picture: {error}") from None
    if read is None:
        raise ConfigError(f"{path}: not a picture that OpenCV reads")
    return np.asarray(read, np.uint8)


def _root(path: Path, said: dict[str, Any]) -> Path:
    """A relative `path` starts at the YAML, or at the working directory."""
    given = Path(str(said.get("path") or "."))
    beside = path.parent / given
    return (beside if beside.exists() or not given.exists() else given).resolve()


def _names(names: Any, path: Path) -> tuple[str, ...]:
    if isinstance(names, dict) and sorted(names) == list(range(len(names))):
        return tuple(str(names[index]) for index in range(len(names)))
    if isinstance(names, list):
        return tuple(str(name) for name in names)
    raise ConfigError(f"{path}: names: expected a list of class names, or a mapping of 0, 1, ... to them")


def _places(said: Any, root: Path) -> list[Path]:
    return [(root / str(place)).resolve() for place in (said if isinstance(said, list) else [said])]


def _pictures(place: Path, yaml_path: Path, split: str) -> Sequence[Path]:
    if place.is_dir():
        return [file for file in place.rglob("*") if file.suffix.lower() in ENDINGS]
    if place.is_file() and place.suffix == ".txt":
        lines = place.read_text(encoding="utf-8").split("\n")
        return [(place.parent / line.strip()).resolve() for line in lines if line.strip()]
    raise ConfigError(f"{yaml_path}: {split}: {place}: no such folder of pictures, nor a .txt that lists them")


def _labels_of(picture: Path) -> Path:
    """The place in which ultralytics looks: the last `images` of the path becomes `labels`."""
    parts = list(picture.with_suffix(".txt").parts)
    last = max((index for index, part in enumerate(parts[:-1]) if part == "images"), default=None)
    if last is not None:
        parts[last] = "labels"
    return Path(*parts)


def _sample(picture: Path, class_count: int, keypoints: bool) -> Sample:
    path = _labels_of(picture)
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []  # no file: an empty picture
    classes, boxes = [], []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            values = [float(value) for value in line.split()]
            index = int(values[0])
            boxes.append(_box(values[1:], keypoints))
        except (ValueError, IndexError):
            raise ConfigError(f"{path}: line {number}: not a YOLO label: a class, then x y width height") from None
        if not 0 <= index < class_count:
            raise ConfigError(f"{path}: line {number}: class {index}, the dataset names {class_count} classes")
        classes.append(index)
    return Sample(picture, np.array(classes, np.int64), np.array(boxes, np.float64).reshape(-1, 4))


def _box(values: list[float], keypoints: bool) -> tuple[float, float, float, float]:
    if len(values) == BOX_COLUMNS or (keypoints and len(values) > BOX_COLUMNS):
        x, y, width, height = values[:4]
        return x - width / 2, y - height / 2, x + width / 2, y + height / 2
    if len(values) < 6 or len(values) % 2:
        raise ValueError("neither a box nor a polygon")
    return min(values[::2]), min(values[1::2]), max(values[::2]), max(values[1::2])
