"""How far a candidate agrees with its source: on frames of the line that it was not calibrated on."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workers.boxes import ious
from workers.detector import Detections
from workers.runtimes.agreement import shape_disagreement

MIN_IOU = 0.8
MAX_SCORE_GAP = 0.1


@dataclass(frozen=True, slots=True)
class Agreement:
    """Of the confident detections of either, how many the other has, too."""

    confident: int = 0
    matched: int = 0

    @property
    def share(self) -> float:
        """0 to 1. 1: there are none."""
        return self.matched / self.confident if self.confident else 1.0


def compare(source: Sequence[Detections], served: Sequence[Detections], threshold: float) -> Agreement:
    """Both for the same pictures. `threshold`: the pool's `model.confidence`.

    A detection is confident if one that is MAX_SCORE_GAP weaker still counts. It is matched by one of the same class
    whose box overlaps it by MIN_IOU, whose confidence is within MAX_SCORE_GAP, and whose outline, rotated box or
    keypoints agree.
    """
    confident = matched = 0
    pairs = list(zip(source, served, strict=True))
    for one, other in [*pairs, *((theirs, ours) for ours, theirs in pairs)]:
        sure = np.flatnonzero(one.confidences >= min(threshold + MAX_SCORE_GAP, 0.99))
        confident += len(sure)
        matched += sum(_matches(one, int(index), other) for index in sure)
    return Agreement(confident, matched)


def _matches(one: Detections, index: int, other: Detections) -> bool:
    same = np.flatnonzero(
        (other.classes == one.classes[index]) & (np.abs(other.confidences - one.confidences[index]) <= MAX_SCORE_GAP)
    )
    if not len(same):
        return False
    overlaps: NDArray[np.float64] = ious(
        one.boxes[index : index + 1].astype(np.float64), other.boxes[same].astype(np.float64)
    )[0]
    best = int(overlaps.argmax())
    return bool(overlaps[best] >= MIN_IOU) and not shape_disagreement(one, index, other, int(same[best]))
