"""Data sets: single frames of many short lines that differ in seed, speed, light and noise, in ultralytics' layout."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from sample_streams.render import Frame, LineRenderer
from sample_streams.spec import CLASSES, FASTEST, SLOWEST, LineSpec, Look
from sample_streams.truth import FrameTruth, frame_truth

TRAIN_SEED, VAL_SEED, TEST_SEED = 1_000_000, 2_000_000, 3_000_000
"""First seeds of the splits. Clips use seeds below 1,000,000, so no split shares a line with another."""
_EMPTY = 0.04
_PITCHES = 5


@dataclass(frozen=True, slots=True)
class Split:
    """Some frames, each from another line; the line's seed names it."""

    name: str
    first_seed: int
    images: int
    line: LineSpec
    """The common base of its lines; their speed, look and length vary."""


TRAINING = LineSpec(defect_rate=0.85, second_defect_rate=0.65, most_defects=4)
"""Crowded with defects, so that each picture teaches much. One part in seven is good."""
MEASURING = LineSpec(defect_rate=0.5)
"""Half of the parts are bad, with as many defects as on any line: enough of each class, and enough good parts."""


def splits(train: int, val: int, test: int = 0, seed: int = TRAIN_SEED) -> tuple[Split, ...]:
    """The splits for training, for choosing the best epoch, and for measuring it, a million seeds apart."""
    step = VAL_SEED - TRAIN_SEED
    return (
        Split("train", seed, train, TRAINING),
        Split("val", seed + step, val, MEASURING),
        Split("test", seed + 2 * step, test, MEASURING),
    )


def build(folder: Path, parts: Iterable[Split], report: Callable[[str], None] = lambda text: None) -> Path:
    """Write the splits below `folder`, without the pictures that exist; returns its data.yaml."""
    parts = tuple(split for split in parts if split.images)
    for split in parts:
        report(f"{split.name}: {split.images} pictures, {_write_split(folder, split)} of them drawn now")
    names = [split.name for split in parts]
    # ultralytics requires `train` and `val` for every task
    where = {name: name for name in names} | {name: names[0] for name in ("train", "val") if name not in names}
    lines = [f"path: {folder.resolve()}", *(f"{name}: images/{pictures}" for name, pictures in where.items())]
    lines += ["names:", *(f"  {number}: {name}" for number, name in enumerate(CLASSES))]
    (folder / "data.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder / "data.yaml"


def sample(seed: int, line: LineSpec = TRAINING) -> tuple[Frame, FrameTruth]:
    """Draw one frame of a new line: (480, 640, 3) uint8 BGR and its labels; one in 25 is an empty belt."""
    rng = np.random.default_rng([seed, 6])
    spec = vary(replace(line, seed=seed), rng)
    camera = LineRenderer(spec)
    filled = round((spec.width_px / 2) / spec.step_px) + spec.margin_frames
    index = 0 if rng.random() < _EMPTY else int(rng.integers(filled, spec.n_frames - filled))
    return camera.frame(index), frame_truth(spec, camera.parts, index)


def vary(line: LineSpec, rng: np.random.Generator) -> LineSpec:
    """The line at a speed and with a look drawn from the whole range, a few parts long."""
    look = Look(
        metal_grey=float(rng.uniform(138, 188)),
        belt_grey=float(rng.uniform(42, 78)),
        light_gradient=float(rng.uniform(0.0, 0.38)),
        light_angle_rad=float(rng.uniform(0, 6.28)),
        flicker=float(rng.uniform(0, 0.06)),
        noise_grey=float(rng.uniform(0.5, 4.5)),
        exposure_s=float(rng.uniform(0.0003, 0.0016)),
        softness_px=float(rng.uniform(0.3, 0.95)),
    )
    spec = replace(line, parts_per_minute=float(rng.uniform(SLOWEST, FASTEST)), look=look)
    way = spec.width_px + _PITCHES * spec.pitch_px
    return replace(spec, n_frames=round(way / spec.step_px) + 2 * spec.margin_frames)


def label_lines(truth: FrameTruth, spec: LineSpec) -> str:
    """The frame's boxes in YOLO's format: class, then box centre and size relative to the picture."""
    lines = []
    for number, (x1, y1, x2, y2) in truth.boxes:
        x, y = (x1 + x2) / 2 / spec.width_px, (y1 + y2) / 2 / spec.height_px
        w, h = (x2 - x1) / spec.width_px, (y2 - y1) / spec.height_px
        lines.append(f"{number} {x:.6f} {y:.6f} {w:.6f} {h:.6f}\n")
    return "".join(lines)


def _write_split(folder: Path, split: Split) -> int:
    """Draw the missing pictures of the split; returns their number."""
    images, labels = folder / "images" / split.name, folder / "labels" / split.name
    images.mkdir(parents=True, exist_ok=True)
    labels.mkdir(parents=True, exist_ok=True)
    drawn = 0
    for seed in range(split.first_seed, split.first_seed + split.images):
        target = labels / f"{seed}.txt"
        if target.exists():  # written after its image, so an interrupted run resumes here
            continue
        image, truth = sample(seed, split.line)
        quality = 70 + seed % 26  # the model also learns what cameras and encoders do to a picture
        cv2.imwrite(str(images / f"{seed}.jpg"), image, [cv2.IMWRITE_JPEG_QUALITY, quality])
        target.write_text(label_lines(truth, split.line), encoding="utf-8")
        drawn += 1
    return drawn
