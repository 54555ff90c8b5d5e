"""Duplicates among a model's boxes, for exports without an NMS-free head that bring no suppression of their own."""

import cv2
import numpy as np
from numpy.typing import NDArray

NMS_IOU = 0.7
"""Of two boxes of one class that overlap by more, the weaker goes: ultralytics' default for predict and val."""
MAX_DETECTIONS = 300


def suppress(predicted: NDArray[np.float32], confidence: float) -> NDArray[np.float32]:
    """(4 + classes, anchors) of centre x, centre y, width, height and class scores -> (k, 6) without duplicates."""
    scores = predicted[4:].max(axis=0)
    kept = scores > confidence
    predicted, scores = predicted[:, kept], scores[kept]
    classes = predicted[4:].argmax(axis=0)
    centres, sizes = predicted[:2].T, predicted[2:4].T
    corners = np.concatenate([centres - sizes / 2, centres + sizes / 2], axis=1)
    lefts_and_sizes = np.concatenate([corners[:, :2], sizes], axis=1)
    chosen = cv2.dnn.NMSBoxesBatched(lefts_and_sizes, scores, classes, confidence, NMS_IOU)  # type: ignore[arg-type]  # takes arrays
    index = np.asarray(chosen, dtype=np.int64).reshape(-1)[:MAX_DETECTIONS]
    rows: NDArray[np.float32] = np.column_stack([corners[index], scores[index], classes[index]]).astype(np.float32)
    return rows
