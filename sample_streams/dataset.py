"""Pictures to train and to validate on: single frames of many short lines that differ in seed, light and speed."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from sample_streams.render import Camera, Frame
from sample_streams.spec import CLASSES, LineSpec, Look
from sample_streams.truth import FrameTruth, frame_truth

TRAIN_SEED, VAL_SEED = 1_000_000, 2_000_000
"""First seeds of the two splits. Clips use seeds below 1,000,000, so no split shares a line with another."""


def build(folder: Path, train: int, val: int) -> Path:
    """Write both splits in ultralytics' layout below `folder`, unless they are there; returns its data.yaml."""
    for split, first_seed, count in (("train", TRAIN_SEED, train), ("val", VAL_SEED, val)):
        _write_split(folder, split, range(first_seed, first_seed + count))
    described = {"path": str(folder.resolve()), "train": "images/train", "val": "images/val"}
    lines = [f"{key}: {value}" for key, value in described.items()]
    lines += ["names:", *(f"  {number}: {name}" for number, name in enumerate(CLASSES))]
    (folder / "data.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return folder / "data.yaml"


def sample(seed: int) -> tuple[Frame, FrameTruth]:
    """Draw one frame of a line of its own: (480, 640, 3) uint8 BGR and its labels; one in ten is an empty belt."""
    rng = np.random.default_rng([seed, 6])
    spec = vary(seed, rng)
    camera = Camera(spec)
    index = 0 if rng.random() < 0.1 else int(rng.integers(spec.margin_frames, spec.n_frames))
    return camera.frame(index), frame_truth(spec, camera.parts, index)


def vary(seed: int, rng: np.random.Generator) -> LineSpec:
    """A line with most parts defective, its look drawn from a range about the clips' own."""
    look = Look(
        metal_grey=float(rng.uniform(140, 185)),
        belt_grey=float(rng.uniform(45, 75)),
        light_gradient=float(rng.uniform(0.0, 0.35)),
        light_angle_rad=float(rng.uniform(0, 6.28)),
        flicker=float(rng.uniform(0, 0.06)),
        noise_grey=float(rng.uniform(0.0, 4.0)),
        exposure_s=float(rng.uniform(0.004, 0.014)),
    )
    return replace(LineSpec(seed=seed, n_frames=180, defect_rate=0.8, second_defect_rate=0.6), look=look)


def label_lines(truth: FrameTruth, spec: LineSpec) -> str:
    """The frame's labels as YOLO writes them: class and box centre and size, relative to the picture."""
    lines = []
    for label in truth.labels:
        x1, y1, x2, y2 = label.box
        x, y = (x1 + x2) / 2 / spec.width_px, (y1 + y2) / 2 / spec.height_px
        w, h = (x2 - x1) / spec.width_px, (y2 - y1) / spec.height_px
        lines.append(f"{label.class_number} {x:.6f} {y:.6f} {w:.6f} {h:.6f}\n")
    return "".join(lines)


def _write_split(folder: Path, split: str, seeds: range) -> None:
    images, labels = folder / "images" / split, folder / "labels" / split
    images.mkdir(parents=True, exist_ok=True)
    labels.mkdir(parents=True, exist_ok=True)
    for seed in seeds:
        target = labels / f"{seed}.txt"
        if target.exists():  # written after its image: a broken-off run goes on where it stopped
            continue
        image, truth = sample(seed)
        quality = 70 + seed % 26  # what cameras and encoders do to a picture is part of what is learnt
        cv2.imwrite(str(images / f"{seed}.jpg"), image, [cv2.IMWRITE_JPEG_QUALITY, quality])
        target.write_text(label_lines(truth, LineSpec()), encoding="utf-8")
