"""Reads datasets in YOLO format: a YAML with classes and folders of pictures, and a text file of labels per picture.

What ultralytics reads is read, and means the same. But nothing is downloaded or repaired, and no picture is left out
silently: a measurement uses the files as they are.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from andon.errors import ConfigError, PoisonError
from andon.pictures.picture import Bgr
from andon.pictures.reader import read_file
from workers.model.layout import SPLITS, find_yaml, labels_of, pictures, roots

BOX_COLUMNS = 4
"""Centre x and y, width and height. More pairs of columns are the points of a polygon."""
TOLERANCE = 0.01
"""Labels may lie that far outside the picture, in fractions of it: tools round. Source: ultralytics 8.4,
`data/utils.py`, `verify_image_label`."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """The content of a data.yaml, with resolved paths."""

    path: Path
    """Of the YAML itself."""
    classes: tuple[str, ...]
    splits: dict[str, tuple[Path, ...]]
    """The pictures of `train`, `val` and `test`, if present, in the order of their names."""
    document: dict[str, Any]
    """The whole YAML, as it was read."""
    missing: dict[str, str] = field(default_factory=dict)
    """Why a split that the YAML names has no pictures. Roboflow names `test` even if it exports none."""


@dataclass(frozen=True, slots=True)
class Sample:
    """A picture and its labels."""

    path: Path
    classes: NDArray[np.int64]
    """(n,): indices into the dataset's classes."""
    boxes: NDArray[np.float64]
    """(n, 4): x1, y1, x2, y2 as fractions of the picture's width and height. No two rows are alike."""
    mixed: bool = False
    """Some labels are boxes and others polygons."""


def read_dataset(path: Path) -> Dataset:
    """Raises ConfigError, in one line, if `path` is not a dataset's YAML or a folder with one."""
    path = find_yaml(path)
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}: --data names a dataset's YAML") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not a dataset's YAML ({type(error).__name__})") from None
    if isinstance(content, dict) and "val" not in content and "validation" in content:
        content["val"] = content.pop("validation")
    if not isinstance(content, dict) or not (content.get("val") or content.get("test")):
        raise ConfigError(f"{path}: not a dataset's YAML, which has `names`, `train` and `val`")
    classes = _names(content, path)
    if content.get("channels", 3) != 3:
        raise ConfigError(f"{path}: channels: {content['channels']}; models of 3 channels are served")
    starts = roots(path, content.get("path"))
    splits, missing = {}, {}
    for split in SPLITS:
        try:
            if content.get(split):
                splits[split] = pictures(content[split], starts, f"{path}: {split}")
        except ConfigError as error:
            missing[split] = str(error)
    return Dataset(path, classes, splits, content, missing)


def write_dataset(dataset: Dataset, folder: Path, val: str = "val") -> Path:
    """Write the dataset for ultralytics, which so sees the very pictures that are measured: with absolute lists.

    `val`: the split that ultralytics takes for `val`. Returns the YAML's path. Nothing in it is downloaded.
    """
    document = {key: value for key, value in dataset.document.items() if key not in (*SPLITS, "download", "nc")}
    document |= {"path": str(folder.resolve()), "names": dict(enumerate(dataset.classes))}
    for split in dataset.splits:
        listed = folder / f"{split}.txt"
        chosen = dataset.splits[val if split == "val" else split]
        listed.write_text("".join(f"{picture}\n" for picture in chosen), encoding="utf-8")
        document[split] = str(listed.resolve())
    path = folder / "data.yaml"
    path.write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
    return path


def samples(dataset: Dataset, split: str, most: int | None = None) -> list[Sample]:
    """The split's pictures, or `most` of them, spread evenly. Raises ConfigError for a missing split or bad labels."""
    chosen = dataset.splits.get(split, ())
    if not chosen:
        raise ConfigError(dataset.missing.get(split) or f"{dataset.path}: no pictures for `{split}`")
    if most is not None and len(chosen) > most:
        chosen = tuple(chosen[index * len(chosen) // most] for index in range(most))
    keypoints = dataset.document.get("kpt_shape") is not None
    return [_sample(path, len(dataset.classes), keypoints) for path in chosen]


def picture(path: Path) -> Bgr:
    """(H, W, 3) BGR, as a line reads it. Raises ConfigError if it can't be read."""
    try:
        return read_file(path)
    except (OSError, PoisonError) as error:
        raise ConfigError(f"{path}: not a picture: {error}") from None


def _names(content: dict[str, Any], path: Path) -> tuple[str, ...]:
    names, count = content.get("names"), content.get("nc")
    if names is None and isinstance(count, int):
        return tuple(f"class_{index}" for index in range(count))
    if isinstance(names, dict) and all(str(key).isdecimal() for key in names):
        names = {int(key): name for key, name in names.items()}
        if sorted(names) == list(range(len(names))):
            names = [names[index] for index in range(len(names))]
    if not isinstance(names, list) or not names:
        raise ConfigError(f"{path}: names: expected a list of class names, or a mapping of 0, 1, ... to them")
    if count is not None and str(count) != str(len(names)):
        raise ConfigError(f"{path}: nc is {count}, but names has {len(names)} classes")
    return tuple(str(name) for name in names)


def _sample(picture: Path, class_count: int, keypoints: bool) -> Sample:
    path = labels_of(picture)
    labels: dict[tuple[float, ...], tuple[float, ...]] = {}
    for number, line in enumerate(_lines(path), 1):
        if not line.strip():
            continue
        try:
            values = tuple(float(value) for value in line.split())
            labels[values] = (_class(values[0]), *_box(values[1:], keypoints))
        except (ValueError, IndexError, OverflowError) as error:
            raise ConfigError(f"{path}: line {number}: {_reason(error)}") from None
        if not 0 <= values[0] < class_count:
            raise ConfigError(f"{path}: line {number}: class {values[0]:.0f}, the dataset names {class_count} classes")
    rows = np.array(list(labels.values()), np.float64).reshape(-1, 1 + BOX_COLUMNS)
    mixed = not keypoints and len({len(values) == 1 + BOX_COLUMNS for values in labels}) == 2
    return Sample(picture, rows[:, 0].astype(np.int64), rows[:, 1:], mixed)


def _lines(path: Path) -> list[str]:
    """Of a picture without a label file: none."""
    try:
        return path.read_text(encoding="utf-8-sig").splitlines() if path.is_file() else []
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not a text file of labels ({type(error).__name__})") from None


class _OutsideError(ValueError):
    """A coordinate that is no fraction of the picture."""


def _reason(error: Exception) -> str:
    return str(error) if isinstance(error, _OutsideError) else "not a YOLO label: a class, then x y width height"


def _class(value: float) -> int:
    if value != int(value):
        raise ValueError("not a whole number")
    return int(value)


def _box(values: tuple[float, ...], keypoints: bool) -> tuple[float, float, float, float]:
    if len(values) == BOX_COLUMNS or (keypoints and len(values) > BOX_COLUMNS):
        x, y, width, height = _inside(values[:BOX_COLUMNS])
        return x - width / 2, y - height / 2, x + width / 2, y + height / 2
    if len(values) < 6 or len(values) % 2:
        raise ValueError("neither a box nor a polygon")
    points = _inside(values)
    return min(points[::2]), min(points[1::2]), max(points[::2]), max(points[1::2])


def _inside(values: tuple[float, ...]) -> tuple[float, ...]:
    """Raises _OutsideError for a number that ultralytics would leave the picture out for."""
    for value in values:
        if not -TOLERANCE <= value <= 1 + TOLERANCE:
            raise _OutsideError(f"{value:g} is outside the picture: labels are fractions of it, 0 to 1")
    return values
