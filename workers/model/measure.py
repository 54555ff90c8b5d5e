"""Measures a model on labelled pictures with the detector that a worker serves.

ultralytics computes the curves and their areas; this module pairs a detector's boxes with the labels.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from andon.errors import ConfigError
from workers.boxes import ious
from workers.detector import Detections, Detector
from workers.model.dataset import Dataset, Sample, picture, samples
from workers.runtimes.manifest import ModelMetrics
from workers.runtimes.ultralytics_model import import_ultralytics

IOUS = np.linspace(0.5, 0.95, 10)
"""Source: the COCO evaluation's thresholds."""
LEAST_CONFIDENCE = 0.001
"""A curve needs the weak detections, too. ultralytics' val uses the same."""
BATCH = 8
Progress = Callable[[int], None]
"""Takes the number of pictures that were done since the last call."""


@dataclass(frozen=True, slots=True)
class Pairing:
    """One picture's detections, paired with its labels."""

    hits: NDArray[np.bool_]
    """(n, 10): whether each detection is right, for each of IOUS."""
    confidences: NDArray[np.float32]
    """(n,)"""
    found: NDArray[np.int64]
    """(n,) classes"""
    wanted: NDArray[np.int64]
    """(m,) classes of the labels"""


@dataclass(frozen=True, slots=True)
class ModelMeasurement:
    metrics: ModelMetrics
    ms_per_frame: float
    """Wall time of the detector alone, after a warm-up. Pictures are read before."""


def measure(
    detector: Detector,
    dataset: Dataset,
    split: str,
    cache: Path,
    most: int | None = None,
    progress: Progress = lambda _: None,
) -> ModelMeasurement:
    """Run `detector`, opened at LEAST_CONFIDENCE, over the split. Blocks for long.

    `cache`: ultralytics' settings lie below it. Raises ConfigError if the model lacks a class of the dataset.
    """
    chosen = samples(dataset, split, most)
    numbers = class_numbers(dataset, detector.info.classes)
    detector.detect([picture(chosen[0].path)])
    pairings: list[Pairing] = []
    spent_s = 0.0
    for start in range(0, len(chosen), BATCH):
        part = chosen[start : start + BATCH]
        pictures = [picture(sample.path) for sample in part]
        since = time.perf_counter()
        found = detector.detect(pictures)
        spent_s += time.perf_counter() - since
        for sample, shown, detections in zip(part, pictures, found, strict=True):
            pairings.append(pair(detections, sample, numbers, (shown.shape[1], shown.shape[0])))
        progress(len(part))
    return ModelMeasurement(summed_up(pairings, detector.info.classes, cache), spent_s * 1000 / len(chosen))


def class_numbers(dataset: Dataset, classes: Sequence[str]) -> NDArray[np.int64]:
    """The model's number of each of the dataset's classes, by name. Raises ConfigError for one that it lacks."""
    unknown = [name for name in dataset.classes if name not in classes]
    if unknown:
        raise ConfigError(f"{dataset.path}: the model has no class {unknown[0]!r}; it knows {', '.join(classes)}")
    return np.array([classes.index(name) for name in dataset.classes], np.int64)


def pair(found: Detections, sample: Sample, numbers: NDArray[np.int64], size: tuple[int, int]) -> Pairing:
    """Each detection is of the label of its class that it covers best; of several, the most confident is right.

    `size`: width and height of the picture in pixels. Source: ultralytics 8.4, `BaseValidator.match_predictions`.
    """
    wanted = numbers[sample.classes]
    hits = np.zeros((len(found.boxes), len(IOUS)), np.bool_)
    if len(wanted) and len(found.boxes):
        overlaps = ious(found.boxes.astype(np.float64), sample.boxes * np.array([*size, *size], np.float64))
        overlaps[found.classes[:, None] != wanted[None, :]] = 0
        best, covered = overlaps.argmax(axis=1), overlaps.max(axis=1)
        for column, least in enumerate(IOUS):
            rows = np.flatnonzero(covered >= least)  # in the order of their confidence
            _, firsts = np.unique(best[rows], return_index=True)
            hits[rows[firsts], column] = True
    return Pairing(hits, found.confidences, found.classes, wanted)


def summed_up(pairings: Sequence[Pairing], classes: Sequence[str], cache: Path) -> ModelMetrics:
    """The figures over all pictures; 0 where there is not a single label."""
    import_ultralytics(cache)
    from ultralytics.utils.metrics import ap_per_class  # noqa: PLC0415 - only after the environment says offline

    _, _, precision, recall, _, areas, present, *_ = ap_per_class(
        np.concatenate([item.hits for item in pairings]),
        np.concatenate([item.confidences for item in pairings]),
        np.concatenate([item.found for item in pairings]),
        np.concatenate([item.wanted for item in pairings]),
    )
    by_class = [(classes[int(number)], area) for number, area in zip(present, areas, strict=True)]
    return ModelMetrics(
        images=len(pairings),
        map50=_mean(areas[:, 0]),
        map50_95=_mean(areas),
        precision=_mean(precision),
        recall=_mean(recall),
        map50_by_class={name: _mean(area[0]) for name, area in by_class},
        map50_95_by_class={name: _mean(area) for name, area in by_class},
    )


def _mean(values: NDArray[np.float64]) -> float:
    return round(float(np.mean(values)), 4) if np.size(values) else 0.0
