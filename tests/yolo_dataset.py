"""A tiny dataset in YOLO format, of two classes that the project has never seen: bright rings and dark bars."""

from pathlib import Path

import cv2
import numpy as np

CLASSES = ("ring", "bar")
SIZE = (96, 128)


def write(folder: Path, train: int = 12, val: int = 6) -> Path:
    """Returns its data.yaml."""
    for split, count, seed in (("train", train, 1), ("val", val, 1000)):
        for number in range(count):
            _picture(folder, split, seed + number)
    path = folder / "data.yaml"
    names = "".join(f"  {index}: {name}\n" for index, name in enumerate(CLASSES))
    path.write_text(f"path: .\ntrain: images/train\nval: images/val\nnames:\n{names}", encoding="utf-8")
    return path


def draw(seed: int) -> tuple[np.ndarray, list[tuple[int, float, float, float, float]]]:
    """(96, 128, 3) uint8 BGR, and its labels: class, then x, y, width and height as fractions."""
    random = np.random.default_rng(seed)
    height, width = SIZE
    picture = random.normal(110, 8, (height, width, 3)).clip(0, 255).astype(np.uint8)
    x, y, radius = int(random.integers(20, 44)), int(random.integers(20, 76)), int(random.integers(10, 16))
    cv2.circle(picture, (x, y), radius, (240, 240, 240), 4)
    ring = (0, x / width, y / height, (2 * radius + 4) / width, (2 * radius + 4) / height)
    left, top = int(random.integers(64, 90)), int(random.integers(8, 70))
    cv2.rectangle(picture, (left, top), (left + 30, top + 12), (20, 20, 30), -1)
    return picture, [ring, (1, (left + 15) / width, (top + 6) / height, 30 / width, 12 / height)]


def _picture(folder: Path, split: str, seed: int) -> None:
    picture, labels = draw(seed)
    for kind in ("images", "labels"):
        (folder / kind / split).mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(folder / "images" / split / f"{seed}.jpg"), picture)
    lines = [" ".join(map(str, label)) for label in labels]
    (folder / "labels" / split / f"{seed}.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
