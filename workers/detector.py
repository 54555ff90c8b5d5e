"""The seam between pictures and a model, and the letterboxing that every runtime shares.

A runtime is a `Network`: it sees uint8 canvases of one shape and answers in canvas pixels. `LetterboxDetector` makes
it a `Detector`, which takes pictures of any sizes and answers in the pixels of each.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
"""(H, W, 3), BGR."""
STRIDE_PX = 32
"""The coarsest grid of a YOLO model: a canvas' sides are multiples of it."""
GREY = 114
"""The padding that ultralytics trains with."""
WARM_UP_PX = ((480, 640), (1080, 1920))
"""Height and width of common pictures: what a model does first for them it does before it takes traffic."""


@dataclass(frozen=True, slots=True)
class Found:
    """What the model saw in one picture, the most confident first."""

    boxes: NDArray[np.float32]
    """(n, 4): x1, y1, x2, y2 in the picture's pixels, inside the picture, never empty."""
    confidences: NDArray[np.float32]
    """(n,), 0 to 1."""
    classes: NDArray[np.int64]
    """(n,): indices into the detector's class names."""


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What is known of a loaded model."""

    digest: str
    """sha256 of the weights file, in hex."""
    runtime: str
    device: str
    imgsz: int
    """Pixels of the longer side of the model's input."""
    classes: tuple[str, ...]
    canvas: tuple[int, int] | None = None
    """Height and width, where the model takes only one."""
    at_once: int = 1
    """Batches that it may be given at once, each on a thread of its own."""


class Detector(Protocol):
    """A model that is ready to look at pictures. Used by `info.at_once` threads at a time."""

    @property
    def info(self) -> ModelInfo: ...

    def warm_up(self) -> None:
        """Do everything that only the first batch would have to wait for. Blocks for seconds."""
        ...

    def detect(self, pictures: Sequence[Picture]) -> list[Found]:
        """As many results as pictures, in their order. Blocks. Doesn't keep or change the pictures.

        May raise anything: the caller takes the pictures one by one then, to find the one that it fails on.
        """
        ...


class Network(Protocol):
    """A model as a runtime serves it."""

    def forward(self, canvases: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        """(n, H, W, 3) BGR, H and W multiples of STRIDE_PX -> n arrays (k, 6): x1, y1, x2, y2, confidence, class.

        In canvas pixels, duplicates already suppressed. The canvases are the caller's again when this returns.
        """
        ...


@dataclass(frozen=True, slots=True)
class Fit:
    """How a picture lies on its canvas: scaled by `scale`, then moved by `left` and `top`."""

    canvas: tuple[int, int]
    """Height and width in pixels."""
    size: tuple[int, int]
    """Height and width of the scaled picture."""
    scale: float
    left: int
    top: int


def fit(height: int, width: int, imgsz: int, canvas: tuple[int, int] | None = None) -> Fit:
    """Scale the longer side to `imgsz` and centre on the smallest canvas that the model's grid allows.

    `canvas` (height, width): the only one that the model takes, instead.
    """
    scale = imgsz / max(height, width) if canvas is None else min(canvas[0] / height, canvas[1] / width)
    size = max(1, round(height * scale)), max(1, round(width * scale))
    if canvas is None:
        canvas = -(-size[0] // STRIDE_PX) * STRIDE_PX, -(-size[1] // STRIDE_PX) * STRIDE_PX
    return Fit(canvas, size, scale, (canvas[1] - size[1]) // 2, (canvas[0] - size[0]) // 2)


class LetterboxDetector:
    """A Detector over a Network.

    Each picture gets the canvas of its own shape, whatever else is in its batch: what is seen in a picture must not
    depend on its neighbours, or a replay would not give the same detections.
    """

    def __init__(self, network: Network, info: ModelInfo, batch_size: int, confidence: float) -> None:
        self._network = network
        self._info = info
        self._batch_size = batch_size
        self._confidence = confidence
        side = -(-info.imgsz // STRIDE_PX) * STRIDE_PX
        height, width = info.canvas or (side, side)
        self._buffers: deque[NDArray[np.uint8]] = deque(
            np.empty(batch_size * height * width * 3, np.uint8) for _ in range(info.at_once)
        )

    @property
    def info(self) -> ModelInfo:
        return self._info

    def warm_up(self) -> None:
        for height, width in WARM_UP_PX:
            black = np.zeros((height, width, 3), np.uint8)
            for size in {1, self._batch_size}:
                self.detect([black] * size)

    def detect(self, pictures: Sequence[Picture]) -> list[Found]:
        pixels = self._buffers.pop()
        try:
            return self._detect(pictures, pixels)
        finally:
            self._buffers.append(pixels)

    def _detect(self, pictures: Sequence[Picture], pixels: NDArray[np.uint8]) -> list[Found]:
        fits = [self._fit(picture) for picture in pictures]
        groups: dict[tuple[int, int], list[int]] = {}
        for index, placed in enumerate(fits):
            groups.setdefault(placed.canvas, []).append(index)
        found: dict[int, Found] = {}
        for members in groups.values():
            for start in range(0, len(members), self._batch_size):
                part = members[start : start + self._batch_size]
                rows = self._network.forward(_canvases([pictures[i] for i in part], [fits[i] for i in part], pixels))
                for index, row in zip(part, rows, strict=True):
                    found[index] = self._found(row, fits[index], pictures[index])
        return [found[index] for index in range(len(pictures))]

    def _fit(self, picture: Picture) -> Fit:
        return fit(picture.shape[0], picture.shape[1], self._info.imgsz, self._info.canvas)

    def _found(self, rows: NDArray[np.float32], placed: Fit, picture: Picture) -> Found:
        rows = rows[rows[:, 4] >= self._confidence]
        if not np.isfinite(rows).all():
            raise ValueError("the model's output is not finite")
        height, width = picture.shape[:2]
        boxes = (rows[:, :4] - np.array([placed.left, placed.top] * 2, np.float32)) / np.float32(placed.scale)
        boxes = np.clip(boxes, 0, np.array([width, height] * 2, np.float32))
        kept = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
        order = np.argsort(-rows[kept, 4], kind="stable")
        rows, boxes = rows[kept][order], boxes[kept][order]
        return Found(boxes.astype(np.float32), np.minimum(rows[:, 4], np.float32(1)), rows[:, 5].astype(np.int64))


def _canvases(pictures: Sequence[Picture], fits: Sequence[Fit], pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The pictures on canvases of one shape, in `pixels`, which is large enough."""
    height, width = fits[0].canvas
    shape = (len(pictures), height, width, 3)
    canvases = pixels[: len(pictures) * height * width * 3].reshape(shape)
    for canvas, picture, placed in zip(canvases, pictures, fits, strict=True):
        _place(picture, placed, canvas)
    return canvases


def _place(picture: Picture, placed: Fit, canvas: NDArray[np.uint8]) -> None:
    """Scale `picture` onto `canvas` (H, W, 3) and pad around it; nothing is allocated."""
    (height, width), left, top = placed.size, placed.left, placed.top
    canvas[:top] = canvas[top + height :] = GREY
    canvas[:, :left] = canvas[:, left + width :] = GREY
    inside = canvas[top : top + height, left : left + width]
    if picture.shape[:2] == placed.size:
        inside[:] = picture
    else:
        cv2.resize(picture, (width, height), dst=inside, interpolation=cv2.INTER_LINEAR)
