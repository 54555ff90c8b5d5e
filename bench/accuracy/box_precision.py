"""mAP of the line's inspections, frame by frame, computed as `andon model val` does.

The line drops detections below the configured confidence, so the precision-recall curve ends there. The figure is lower
than with all detections; it is that of the detections that Andon publishes.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from andon.messages import Inspection
from sample_streams.spec import CLASSES
from sample_streams.truth import ClipTruth, FrameTruth
from workers.detector import Detections
from workers.model.dataset import Sample
from workers.model.measure import Pairing, pair, summed_up
from workers.runtimes.manifest import ModelMetrics


def box_metrics(truths: Mapping[str, ClipTruth], inspections: Sequence[Inspection], cache: Path) -> ModelMetrics:
    """`truths` is by camera. The inspections are of one session of each camera, which began with its clip."""
    return summed_up([_pair(truths[one.camera_id], one) for one in inspections], CLASSES, cache)


def _pair(truth: ClipTruth, inspection: Inspection) -> Pairing:
    size = (truth.width_px, truth.height_px)
    return pair(_detections(inspection), _labels(truth.frames[inspection.seq], size), np.arange(len(CLASSES)), size)


def _detections(inspection: Inspection) -> Detections:
    surest_first = sorted(inspection.detections, key=lambda one: -one.confidence)
    boxes = [(one.box.x1, one.box.y1, one.box.x2, one.box.y2) for one in surest_first]
    return Detections(
        boxes=np.array(boxes, np.float32).reshape(-1, 4),
        confidences=np.array([one.confidence for one in surest_first], np.float32),
        classes=np.array([CLASSES.index(one.label) for one in surest_first], np.int64),
    )


def _labels(frame: FrameTruth, size: tuple[int, int]) -> Sample:
    classes = np.array([number for number, _ in frame.boxes], np.int64)
    boxes = np.array([box for _, box in frame.boxes], np.float64).reshape(-1, 4)
    return Sample(Path(), classes, boxes / np.array([*size, *size]))
