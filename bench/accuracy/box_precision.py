"""mAP of what the line's inspections say, frame by frame, by the same measure as `andon model val`.

The line keeps only what is as confident as its configuration asks, so the curve ends there: the figure is lower than
that of all detections, and is that of those which people and machines are told.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from andon.messages import Inspection
from sample_streams.spec import CLASSES
from sample_streams.truth import ClipTruth, FrameTruth
from workers.detector import Found
from workers.model.dataset import Labelled
from workers.model.measure import Pairing, pair, summed_up
from workers.runtimes.manifest import Metrics


def measured(truths: Mapping[str, ClipTruth], seen: Sequence[Inspection], cache: Path) -> Metrics:
    """`truths` by camera; the inspections are of one session of each, which began with its clip."""
    return summed_up([_paired(truths[one.camera_id], one) for one in seen], CLASSES, cache)


def _paired(truth: ClipTruth, seen: Inspection) -> Pairing:
    size = (truth.width_px, truth.height_px)
    return pair(_found(seen), _labelled(truth.frames[seen.seq], size), np.arange(len(CLASSES)), size)


def _found(seen: Inspection) -> Found:
    surest_first = sorted(seen.detections, key=lambda one: -one.confidence)
    boxes = [(one.box.x1, one.box.y1, one.box.x2, one.box.y2) for one in surest_first]
    return Found(
        boxes=np.array(boxes, np.float32).reshape(-1, 4),
        confidences=np.array([one.confidence for one in surest_first], np.float32),
        classes=np.array([CLASSES.index(one.label) for one in surest_first], np.int64),
    )


def _labelled(frame: FrameTruth, size: tuple[int, int]) -> Labelled:
    classes = np.array([number for number, _ in frame.boxes], np.int64)
    boxes = np.array([box for _, box in frame.boxes], np.float64).reshape(-1, 4)
    return Labelled(Path(), classes, boxes / np.array([*size, *size]))
