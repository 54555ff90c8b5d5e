"""Turns a network's output arrays into rows, for every runtime, task and kind of head.

Source: ultralytics 8.4, `nn/modules/head.py`: an NMS-free head gives (B, n, 6 + extra), any other one
(B, 4 + classes + extra, anchors), RT-DETR's (B, n, 6) in fractions of the canvas; a segmentation model gives its
prototypes besides, (B, m, H / 4, W / 4). The extra values are mask coefficients, keypoints or an angle.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from workers.detector import Output, Segmentation
from workers.runtimes.suppression import suppress, suppress_rotated
from workers.task import Head

Floats = NDArray[np.float32]
BOX_COLUMNS = 6


@dataclass(frozen=True, slots=True)
class OutputReader:
    """Reads the outputs of one model."""

    head: Head
    class_count: int
    confidence: float
    """Detections below it may be left out."""

    def read(self, outputs: Sequence[Floats], canvas: tuple[int, int]) -> Sequence[Output]:
        """One Output for each picture. They are copies: the runtime owns `outputs` again when this returns.

        `outputs`: batch first, in the model's order. `canvas`: its height and width in pixels.
        """
        predicted = outputs[0]
        columns = BOX_COLUMNS + self._extra(outputs)
        if predicted.shape[2] == columns:
            rows = list(predicted.copy())
        elif predicted.shape[1] == columns - 2 + self.class_count:
            rows = [self._suppressed(one) for one in predicted]
        else:
            raise ValueError(f"an output of {predicted.shape} does not fit a {self.head.task} model")
        if self.head.task == "detect" and not self.head.queries:
            return rows
        prototypes = outputs[1] if len(outputs) > 1 else [None] * len(rows)
        return [self.read_one(row, one, canvas) for row, one in zip(rows, prototypes, strict=True)]

    def read_one(self, rows: Floats, prototypes: Floats | None, canvas: tuple[int, int]) -> Output:
        """Of one picture: rows (k, 6 + extra) without duplicates. The prototypes are copied only if needed."""
        if self.head.queries:
            return scaled(rows, canvas)
        match self.head.task:
            case "obb":
                return with_corners(rows)
            case "segment":
                kept = rows[rows[:, 4] >= self.confidence]
                if prototypes is None or not len(kept):
                    return kept
                return Segmentation(kept, prototypes.astype(np.float32))
            case _:
                return rows

    def _extra(self, outputs: Sequence[Floats]) -> int:
        match self.head.task:
            case "segment":
                return int(outputs[1].shape[1])
            case "pose":
                return self.head.keypoints * self.head.keypoint_values
            case "obb":
                return 1
            case "detect":
                return 0

    def _suppressed(self, predicted: Floats) -> Floats:
        reduce = suppress_rotated if self.head.task == "obb" else suppress
        return reduce(predicted, self.confidence, self.class_count)


def scaled(rows: Floats, canvas: tuple[int, int]) -> Floats:
    """RT-DETR's rows: centre and size as fractions of the canvas -> corners in its pixels."""
    height, width = canvas
    centres, halves = rows[:, :2], rows[:, 2:4] / 2
    corners = np.concatenate([centres - halves, centres + halves], axis=1)
    pixels = corners * np.array([width, height] * 2, np.float32)
    return np.concatenate([pixels, rows[:, 4:]], axis=1)


def with_corners(rows: Floats) -> Floats:
    """(k, 7) of centre, width, height, confidence, class, angle -> (k, 14): hull, confidence, class, four corners.

    The angle is in radians, clockwise on the picture. Source: ultralytics 8.4, `utils/ops.py`, `xywhr2xyxyxyxy`; the
    corners go the other way round here: clockwise, and the first edge is the width.
    """
    sine, cosine = np.sin(rows[:, 6:7]), np.cos(rows[:, 6:7])
    halves = np.abs(rows[:, 2:4]) / 2
    along = np.concatenate([cosine, sine], axis=1) * halves[:, :1]
    across = np.concatenate([-sine, cosine], axis=1) * halves[:, 1:]
    centre = rows[:, :2]
    corners = np.stack(
        [centre - along - across, centre + along - across, centre + along + across, centre - along + across]
    )
    hull = np.concatenate([corners.min(axis=0), corners.max(axis=0)], axis=1)
    flat = corners.transpose(1, 0, 2).reshape(-1, 8)
    return np.concatenate([hull, rows[:, 4:6], flat], axis=1).astype(np.float32)
