"""Measures a picture in a few numbers, from which image health is judged.

At 640x480 a measurement costs 0.07 ms, with the sharpness 0.4 ms more.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from andon.pictures.picture import Pixels

Plane = NDArray[np.uint8]
"""One channel: uint8 (H, W)."""
GLANCE_PX = 160
"""The longer side of the thinned picture that is compared and measured for brightness."""
DETAIL_PX = 640
"""The longer side of the thinned picture for sharpness, which needs neighbours that lie near each other."""


@dataclass(frozen=True, slots=True)
class PictureMeasurement:
    """Levels are 0 to 255, of the green channel: the one that sensors sample most."""

    bright: int
    """95 % of the picture is darker than this."""
    dim: int
    """25 % of the picture is darker than this."""
    change: float | None
    """Mean difference from the picture before; None: there was none of this size."""
    sharpness: float | None
    """Variance of the Laplacian; None: not measured this time."""
    size: tuple[int, int]
    """Width and height of the picture in pixels."""


class PictureMeter:
    """Measures one camera's pictures, in their order."""

    def __init__(self) -> None:
        self._before: Plane | None = None

    def measure(self, bgr: Pixels, *, sharpness: bool) -> PictureMeasurement:
        """`bgr`: uint8 (H, W, 3), not kept and not changed. Of one on a card only a thinned part comes to the host."""
        glance = _thinned(bgr, GLANCE_PX)
        before, self._before = self._before, glance
        same_size = before is not None and before.shape == glance.shape
        below = np.cumsum(cv2.calcHist([glance], [0], None, [256], [0, 256]))
        dim, bright = below.searchsorted((glance.size * 0.25, glance.size * 0.95))
        return PictureMeasurement(
            bright=int(bright),
            dim=int(dim),
            change=float(cv2.norm(glance, before, cv2.NORM_L1)) / glance.size
            if before is not None and same_size
            else None,
            sharpness=_sharpness(_thinned(bgr, DETAIL_PX)) if sharpness else None,
            size=(bgr.shape[1], bgr.shape[0]),
        )


def _thinned(bgr: Pixels, longest_px: int) -> Plane:
    """Green of every n-th pixel of every n-th row. Not averaged: that would hide the noise."""
    step = max(1, max(bgr.shape[:2]) // longest_px)
    if not isinstance(bgr, np.ndarray):
        return np.ascontiguousarray(bgr[::step, ::step, 1].cpu())
    if step == 1:
        return np.asarray(cv2.extractChannel(bgr, 1), np.uint8)  # in half of numpy's time
    return np.ascontiguousarray(bgr[::step, ::step, 1])


def _sharpness(plane: Plane) -> float:
    """Pech-Pacheco et al., Diatom autofocusing in brightfield microscopy (2000)."""
    edges = cv2.Laplacian(plane, cv2.CV_16S)
    mean_square = cv2.norm(edges, cv2.NORM_L2SQR) / edges.size  # both sums in a seventh of meanStdDev's time
    return float(mean_square - (cv2.sumElems(edges)[0] / edges.size) ** 2)
