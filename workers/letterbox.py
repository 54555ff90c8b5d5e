"""Where a picture of any size lies on a model's canvas, and the way back to the picture's own pixels."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from workers.task import STRIDE_PX

GREY = 114
"""The padding that ultralytics trains with."""
Pixels = NDArray[np.uint8]
"""(H, W, 3) BGR, or several of one shape."""


@dataclass(frozen=True, slots=True)
class Fit:
    """A picture's place on its canvas: scaled by `scale`, then moved by `left` and `top`."""

    canvas: tuple[int, int]
    """Height and width in pixels."""
    size: tuple[int, int]
    """Height and width of the scaled picture."""
    scale: tuple[float, float]
    """For x and y. They differ by the rounding to whole pixels, and if the picture is stretched."""
    left: int
    top: int

    @property
    def end(self) -> NDArray[np.float32]:
        """The picture's width and height."""
        end: NDArray[np.float32] = np.divide((self.size[1], self.size[0]), self.scale, dtype=np.float32)
        return end

    def back(self, points: NDArray[np.float32]) -> NDArray[np.float32]:
        """Canvas pixels -> picture pixels, which may lie outside the picture. x and y alternate along the last axis."""
        times = points.shape[-1] // 2
        moved = points - np.array([self.left, self.top] * times, np.float32)
        scaled: NDArray[np.float32] = np.divide(moved, np.array(self.scale * times, np.float32))
        return scaled


def on_grid(side_px: int, stride: int) -> int:
    """The side of the smallest canvas that holds `side_px` pixels: a multiple of the model's stride."""
    return -(-side_px // stride) * stride


def fit(height: int, width: int, imgsz: int, canvas: tuple[int, int] | None = None, stride: int = STRIDE_PX) -> Fit:
    """Scale the longer side to `imgsz` and centre on the smallest canvas that the model's grid allows.

    `canvas` (height, width): the only size that the model takes. Source: ultralytics 8.4, `LetterBox`.
    """
    scale = imgsz / max(height, width) if canvas is None else min(canvas[0] / height, canvas[1] / width)
    size = max(1, round(height * scale)), max(1, round(width * scale))
    if canvas is None:
        canvas = on_grid(size[0], stride), on_grid(size[1], stride)
    return Fit(
        canvas, size, (size[1] / width, size[0] / height), (canvas[1] - size[1]) // 2, (canvas[0] - size[0]) // 2
    )


def stretched(
    height: int, width: int, imgsz: int, canvas: tuple[int, int] | None = None, stride: int = STRIDE_PX
) -> Fit:
    """Scale each side to the canvas' own, a square of `imgsz` by default, as RT-DETR is trained and predicts.

    Source: ultralytics 8.4, `models/rtdetr/predict.py`: `scale_fill`.
    """
    side = on_grid(imgsz, stride)
    canvas = canvas or (side, side)
    return Fit(canvas, canvas, (canvas[1] / width, canvas[0] / height), 0, 0)


def drawn(pictures: Sequence[Pixels], fits: Sequence[Fit], pixels: Pixels) -> Pixels:
    """Draw the pictures on canvases of one shape. The canvases lie in `pixels`, which is large enough."""
    height, width = fits[0].canvas
    shape = (len(pictures), height, width, 3)
    canvases = pixels[: len(pictures) * height * width * 3].reshape(shape)
    for canvas, picture, placed in zip(canvases, pictures, fits, strict=True):
        _place(picture, placed, canvas)
    return canvases


def _place(picture: Pixels, placed: Fit, canvas: Pixels) -> None:
    """Scale `picture` onto `canvas` (H, W, 3) and pad around it; nothing is allocated."""
    (height, width), left, top = placed.size, placed.left, placed.top
    canvas[:top] = canvas[top + height :] = GREY
    canvas[:, :left] = canvas[:, left + width :] = GREY
    inside = canvas[top : top + height, left : left + width]
    if picture.shape[:2] == placed.size:
        inside[:] = picture
    else:
        cv2.resize(picture, (width, height), dst=inside, interpolation=cv2.INTER_LINEAR)
