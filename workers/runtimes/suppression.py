"""Removes duplicates among a model's boxes, for exports that have neither an NMS-free head nor suppression."""

import cv2
import numpy as np
from numpy.typing import NDArray

from workers.detector import NOT_FINITE

Floats = NDArray[np.float32]
NMS_IOU = 0.7
"""If two boxes of a class overlap by more, the less confident one is dropped. ultralytics' default for predict, val."""
MAX_DETECTIONS = 300
MAX_ROTATED = 1024
"""Rotated boxes are compared all with all: only the most confident ones, 4 MB for each number that is compared."""


def suppress(predicted: Floats, confidence: float, class_count: int | None = None) -> Floats:
    """(4 + classes + extra, anchors) of centre x, centre y, width, height, class scores -> (k, 6 + extra).

    Corners, confidence, class and extra values of the remaining boxes. `class_count` None: there are no extra values.
    """
    rows = _candidates(predicted, confidence, class_count)
    centres, sizes = rows[:, :2], rows[:, 2:4]
    corners = np.concatenate([centres - sizes / 2, centres + sizes / 2], axis=1)
    lefts_and_sizes = np.concatenate([corners[:, :2], sizes], axis=1)
    classes = rows[:, 5].astype(np.int32)
    chosen = cv2.dnn.NMSBoxesBatched(lefts_and_sizes, rows[:, 4], classes, confidence, NMS_IOU)  # type: ignore[arg-type]  # takes arrays
    index = np.asarray(chosen, dtype=np.int64).reshape(-1)[:MAX_DETECTIONS]
    left: Floats = np.concatenate([corners[index], rows[index, 4:]], axis=1)
    return left


def suppress_rotated(predicted: Floats, confidence: float, class_count: int) -> Floats:
    """(4 + classes + 1, anchors), the last an angle in radians -> (k, 7): the same, confidence, class and angle.

    A box is dropped if any more confident one of its class overlaps it, even a dropped one: Fast NMS. Source: YOLACT
    (arXiv:1904.02689), section 5, as ultralytics 8.4 uses it for these boxes (`utils/nms.py`, `rotated=True`).
    """
    rows = _candidates(predicted, confidence, class_count)
    rows = rows[np.argsort(-rows[:, 4], kind="stable")][:MAX_ROTATED]
    rivals = np.triu(rows[:, 5, None] == rows[None, :, 5], k=1)
    kept = ~(rivals & (_overlaps(rows) > NMS_IOU)).any(axis=0)
    left: Floats = rows[kept][:MAX_DETECTIONS]
    return left


def _candidates(predicted: Floats, confidence: float, class_count: int | None) -> Floats:
    """(k, 6 + extra): centre, size, the best class' score, that class, the extra values.

    Raises ValueError if a score is not a number.
    """
    ends = 4 + (class_count or len(predicted) - 4)
    scores = predicted[4:ends].max(axis=0)
    if np.isnan(scores).any():  # no comparison holds for it: it would look like a picture without defects
        raise ValueError(NOT_FINITE)
    kept = scores > confidence
    predicted, scores = predicted[:, kept], scores[kept]
    classes = predicted[4:ends].argmax(axis=0)
    rows: Floats = np.column_stack([predicted[:4].T, scores, classes, predicted[ends:].T]).astype(np.float32)
    return rows


def _overlaps(rows: Floats) -> Floats:
    """Similarity of rotated boxes, all with all: 1 minus the Hellinger distance of the Gaussians that they stand for.

    Source: "Gaussian Bounding Boxes and Probabilistic Intersection-over-Union" (arXiv:2106.06072), as in
    ultralytics 8.4, `utils/metrics.py`, `batch_probiou`.
    """
    tiny = np.float32(1e-7)
    width, height = rows[:, 2] ** 2 / 12, rows[:, 3] ** 2 / 12
    sine, cosine = np.sin(rows[:, 6]), np.cos(rows[:, 6])
    xx, yy = width * cosine**2 + height * sine**2, width * sine**2 + height * cosine**2
    xy = (width - height) * cosine * sine
    off_x, off_y = (rows[:, axis, None] - rows[None, :, axis] for axis in (0, 1))
    sum_xx, sum_yy, sum_xy = (one[:, None] + one[None, :] for one in (xx, yy, xy))
    area = np.maximum(xx * yy - xy**2, 0)
    shared = np.maximum(sum_xx * sum_yy - sum_xy**2, 0)
    near = (sum_xx * off_y**2 + sum_yy * off_x**2 - 2 * sum_xy * off_x * off_y) / (shared + tiny) / 4
    alike = np.log(shared / (4 * np.sqrt(area[:, None] * area[None, :]) + tiny) + tiny) / 2
    distance = np.clip(near + alike, tiny, 100)
    overlaps: Floats = 1 - np.sqrt(1 - np.exp(-distance) + tiny)
    return overlaps
