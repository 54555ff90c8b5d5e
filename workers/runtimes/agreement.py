"""Compares the shapes of an export with its source's: outlines, rotated boxes and keypoints of one detection."""

import cv2
import numpy as np
from numpy.typing import NDArray

from workers.detector import Detections

Floats = NDArray[np.float32]
MIN_OVERLAP = 0.7
"""Of two outlines. Boxes overlap by more, but a mask's edge moves with every rounding."""
MAX_MOVE = 0.1
"""Of a keypoint, as a fraction of its box's diagonal."""
SURE = 0.5
"""Keypoints with a lower confidence are guesses."""
SIDE_PX = 256


def shape_disagreement(source: Detections, index: int, served: Detections, other: int) -> str:
    """How detection `other` of the export differs from `index` of its source, in a few words. Empty: it does not.

    The two have the same class and overlapping boxes.
    """
    if source.polygons is not None and served.polygons is not None:
        one, two = source.polygons[index], served.polygons[other]
        drawn = one is None or two is None or _overlap(one, two) >= MIN_OVERLAP
        return "" if drawn else "an outline"
    if source.corners is not None and served.corners is not None:
        return "" if _overlap(source.corners[index], served.corners[other]) >= MIN_OVERLAP else "a rotated box"
    if source.keypoints is not None and served.keypoints is not None:
        left, top, right, bottom = source.boxes[index].tolist()
        limit_px = MAX_MOVE * np.hypot(right - left, bottom - top)
        return "a keypoint" if _farthest(source.keypoints[index], served.keypoints[other]) > limit_px else ""
    return ""


def _farthest(one: Floats, other: Floats) -> float:
    """The largest move of a keypoint that the first is sure of, in pixels. Without confidences: of any keypoint."""
    sure = (one[:, 2:] >= SURE).all(axis=1)
    return float(np.linalg.norm(one[sure, :2] - other[sure, :2], axis=1).max(initial=0))


def _overlap(one: Floats, other: Floats) -> float:
    """Intersection over union, drawn on a square that both fill."""
    both = np.concatenate([one, other])
    low = both.min(axis=0)
    scale = (SIDE_PX - 1) / max(float((both.max(axis=0) - low).max()), 1e-3)
    drawn = [np.zeros((SIDE_PX, SIDE_PX), np.uint8) for _ in range(2)]
    for canvas, points in zip(drawn, (one, other), strict=True):
        cv2.fillPoly(canvas, [np.round((points - low) * scale).astype(np.int32)], 1)
    return float((drawn[0] & drawn[1]).sum() / (drawn[0] | drawn[1]).sum())
