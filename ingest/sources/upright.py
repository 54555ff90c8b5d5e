"""Turns pictures as their stream asks: a camera that hangs on its side says so and sends its pictures as they are.

Source of the matrix: ISO/IEC 14496-12, 8.3.2.3; of its form here: libavutil/display.h. A point (x, y) of the picture is
shown at (a x + c y, b x + d y), x to the right and y down.
"""

import struct
from dataclasses import dataclass

import cv2
import numpy as np

from andon.pictures.picture import Bgr

_ONE = 1 << 16
"""The matrix' numbers are 16.16 fixed point."""


@dataclass(frozen=True, slots=True)
class Orientation:
    """Where the picture's x and y axes point in the shown one; only right angles."""

    a: int = 1
    b: int = 0
    c: int = 0
    d: int = 1

    @property
    def swaps(self) -> bool:
        """Whether width and height change places."""
        return self.a == 0

    @property
    def mirrored(self) -> bool:
        return self.a * self.d - self.b * self.c < 0

    @property
    def degrees(self) -> int:
        """Clockwise, in steps of 90; of a mirrored picture after it was mirrored from left to right."""
        right = (-self.a, -self.b) if self.mirrored else (self.a, self.b)
        return {(1, 0): 0, (0, 1): 90, (-1, 0): 180, (0, -1): 270}[right]

    @property
    def exif(self) -> int:
        """The same, as Exif numbers it."""
        axes = {(1, 0): (1, 4), (-1, 0): (2, 3), (0, 1): (6, 5), (0, -1): (7, 8)}[self.a, self.b]
        return axes[self.c > 0 if self.swaps else self.d < 0]

    def __str__(self) -> str:
        turned = f"turned by {self.degrees} degrees clockwise" if self.degrees else ""
        return " and ".join(filter(None, ["mirrored" if self.mirrored else "", turned])) or "upright"


UPRIGHT = Orientation()


def orientation(matrix: bytes) -> Orientation | None:
    """What FFmpeg's display matrix of nine numbers asks for. None: a turn by something else than a right angle."""
    a, b, _, c, d = (round(number / _ONE) for number in struct.unpack_from("=5i", matrix))
    axes = {abs(a), abs(d)}, {abs(b), abs(c)}
    return Orientation(a, b, c, d) if axes in (({1}, {0}), ({0}, {1})) else None


def upright(bgr: Bgr, orientation: Orientation) -> Bgr:
    """The picture as it is to be shown; the same array if it is upright already."""
    rows, columns = orientation.d, orientation.a
    if orientation.swaps:
        bgr, rows, columns = np.asarray(cv2.transpose(bgr), np.uint8), orientation.b, orientation.c
    if (rows, columns) == (1, 1):
        return bgr
    axis = -1 if rows == columns else int(columns < 0)  # OpenCV: 0 turns rows around, 1 columns, -1 both
    return np.asarray(cv2.flip(bgr, axis), np.uint8)
