"""Turns a segmentation model's masks into outlines. The cost grows with the detections, not with the picture.

A mask is a sum of prototypes, weighted by the detection's coefficients and cut off at its box. Source: YOLACT
(arXiv:1904.02689), section 3; ultralytics 8.4, `utils/ops.py`, `process_mask(upsample=True)`: the sum is scaled up to
the canvas, and the mask is where the sum is above zero.
"""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from andon.messages import MAX_POLYGON

Floats = NDArray[np.float32]
TOLERANCE_PX = 0.5
"""Largest distance of an outline from its mask's edge, on the canvas. It grows if there are too many points."""


def outline(coefficients: Floats, prototypes: Floats, box: Floats, canvas: tuple[int, int]) -> Floats | None:
    """The outline of the mask's largest part: (p, 2), 3 <= p <= MAX_POLYGON, in canvas pixels. None: it has no area.

    `coefficients` (m,); `prototypes` (m, h, w), over the whole canvas; `box` x1, y1, x2, y2 in canvas pixels;
    `canvas` its height and width. Raises ValueError where the mask is not finite.
    """
    left, top, right, bottom = _pixels(box, canvas)
    if right <= left or bottom <= top:
        return None
    mask = _mask(coefficients, prototypes, (left, top, right, bottom), canvas)
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    largest = max(contours, key=cv2.contourArea, default=None)
    if largest is None or cv2.contourArea(largest) <= 0:
        return None
    points = _simplified(largest)
    return None if len(points) < 3 else points + np.array([left + 0.5, top + 0.5], np.float32)


def _pixels(box: Floats, canvas: tuple[int, int]) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of the pixels whose left and upper edges lie in the box. Right, bottom exclusive."""
    height, width = canvas
    left, top, right, bottom = np.ceil(np.clip(box, 0, [width, height, width, height])).astype(int).tolist()
    return left, top, right, bottom


def _mask(
    coefficients: Floats, prototypes: Floats, pixels: tuple[int, int, int, int], canvas: tuple[int, int]
) -> NDArray[np.uint8]:
    """The mask of these pixels only. One more prototype pixel on each side keeps the scaling right at the edges."""
    left, top, right, bottom = pixels
    count, height, width = prototypes.shape
    step_y, step_x = canvas[0] // height, canvas[1] // width
    first_x, first_y = max(0, left // step_x - 1), max(0, top // step_y - 1)
    last_x, last_y = min(width, -(-right // step_x) + 1), min(height, -(-bottom // step_y) + 1)
    part = prototypes[:, first_y:last_y, first_x:last_x]
    sums = (coefficients @ part.reshape(count, -1)).reshape(part.shape[1:])
    if not np.isfinite(sums).all():
        raise ValueError("the model's masks are not finite")
    scaled = cv2.resize(sums, (part.shape[2] * step_x, part.shape[1] * step_y), interpolation=cv2.INTER_LINEAR)
    off_x, off_y = first_x * step_x, first_y * step_y
    inside = scaled[top - off_y : bottom - off_y, left - off_x : right - off_x] > 0
    return np.ascontiguousarray(inside, np.uint8)


def _simplified(contour: NDArray[Any]) -> Floats:
    """Ramer-Douglas-Peucker, coarser until there are few enough points."""
    tolerance = TOLERANCE_PX
    points = cv2.approxPolyDP(contour, tolerance, True)
    while len(points) > MAX_POLYGON:
        tolerance *= 1.5
        points = cv2.approxPolyDP(contour, tolerance, True)
    return points.reshape(-1, 2).astype(np.float32)
