"""Decodes the other formats that people keep pictures in, with OpenCV, which refuses them truncated.

TIFF, BMP, WebP, JPEG 2000, PBM/PGM/PPM, AVIF. Of several pages the first is read.
"""

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from andon.errors import PoisonError
from andon.pictures.picture import Samples, in_known_depth

TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
"""The last two: BigTIFF."""
FLAGS = cv2.IMREAD_COLOR_BGR | cv2.IMREAD_ANYDEPTH


def read(data: bytes) -> Samples:
    """Upright. Raises PoisonError: no picture, a damaged one, or samples that are no brightness."""
    picture = _decoded(data, FLAGS)
    if picture is None and data[:4] in TIFF:
        picture = _floats(data)
    if picture is None:
        raise PoisonError("undecodable", "no picture that OpenCV reads, or a damaged one")
    return in_known_depth(picture)


def _floats(data: bytes) -> NDArray[np.uint8] | None:
    """A TIFF of floats from 0 (black) to 1 (white). Raises PoisonError for other numbers."""
    samples = _decoded(data, cv2.IMREAD_UNCHANGED)
    if samples is None:
        return None
    if samples.dtype not in (np.float32, np.float64) or not (samples.min() >= 0 and samples.max() <= 1):
        raise PoisonError(
            "undecodable",
            f"samples of type {samples.dtype} that are not between 0 and 1: save it with 8 or 16 bits a sample",
        )
    levels = np.round(samples * 255).astype(np.uint8)
    channels = 1 if levels.ndim == 2 else levels.shape[2]
    if channels == 3:
        return levels
    return np.asarray(cv2.cvtColor(levels, cv2.COLOR_GRAY2BGR if channels == 1 else cv2.COLOR_BGRA2BGR), np.uint8)


def _decoded(data: bytes, flags: int) -> NDArray[Any] | None:
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)  # it would write lines of its own to stderr
    try:
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error:
        return None
    return None if picture is None else np.asarray(picture)
