"""The seam between pictures and a model, and the letterboxing that all runtimes share.

A runtime is a `Network`: it takes uint8 canvases of one shape and answers in canvas pixels. `LetterboxDetector` makes
a `Detector` of it, which takes pictures of any size and answers in each picture's own pixels.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from andon.pictures.picture import OnCard, Pixels
from workers.letterbox import Fit, drawn, fit, on_grid, stretched
from workers.outlines import outline
from workers.task import PLAIN, Head

Picture = Pixels
"""(H, W, 3), BGR, on the host, or on the card of a model that reads it there."""
BOX_COLUMNS = 6
NOT_FINITE = "the model's output is not finite"
WARM_UP_PX = ((480, 640), (1080, 1920))
"""Height and width of common pictures. The model compiles for their shapes before it takes traffic."""


@dataclass(frozen=True, slots=True)
class Detections:
    """What the model saw in one picture, the most confident first."""

    boxes: NDArray[np.float32]
    """(n, 4): x1, y1, x2, y2 in the picture's pixels, inside the picture, never empty."""
    confidences: NDArray[np.float32]
    """(n,), 0 to 1."""
    classes: NDArray[np.int64]
    """(n,): indices into the detector's class names."""
    polygons: tuple[NDArray[np.float32] | None, ...] | None = None
    """Segmentation models only: n outlines (p, 2) of at most MAX_POLYGON points. None: the mask has no area."""
    keypoints: NDArray[np.float32] | None = None
    """Pose models only: (n, k, 2 or 3), x and y inside the picture, and a confidence of 0 to 1 if the model has it."""
    corners: NDArray[np.float32] | None = None
    """OBB models only: (n, 4, 2), the rotated box, clockwise, width first. It may lie outside the picture."""


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """The suppression that an export carries in itself. None: its graph doesn't show the value."""

    confidence: float | None = None
    """Detections below it never leave the model, whatever `model.confidence` says."""
    iou: float | None = None
    most: int | None = None
    """Largest number of detections in a picture."""


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """A loaded model's description."""

    digest: str
    """sha256 of the weights file, in hex."""
    runtime: str
    device: str
    imgsz: int
    """Pixels of the longer side of the model's input."""
    classes: tuple[str, ...]
    canvas: tuple[int, int] | None = None
    """Height and width, if the model takes only one size."""
    precision: str = ""
    """The weights' format: fp32, fp16 or int8. Empty: unknown."""
    head: Head = PLAIN
    at_once: int = 1
    """Batches that the model takes at the same time, each on its own thread."""
    built_in: BuiltIn | None = None
    """None: the model leaves the suppression to the runtime."""
    card: str | None = None
    """Number of the GPU on which it also takes pictures that lie there. None: it takes them from the host only."""

    @property
    def enough_px(self) -> int:
        """A picture whose longer side exceeds this shows the model nothing more.

        RT-DETR stretches pictures, so that the shorter side, too, fills the canvas: twice the size serves up to 2 to 1.
        """
        return 2 * self.imgsz if self.head.queries else self.imgsz


@dataclass(frozen=True, slots=True)
class Segmentation:
    """What a segmentation model saw on one canvas."""

    rows: NDArray[np.float32]
    """(k, 6 + m): after the class, the coefficients of the detection's mask."""
    prototypes: NDArray[np.float32]
    """(m, h, w), over the whole canvas: see `outlines`."""


Output = NDArray[np.float32] | Segmentation


class OutOfMemoryError(Exception):
    """The device has too little memory for the batch. Its halves may fit."""


class Detector(Protocol):
    """A model that is ready for pictures. At most `info.at_once` threads use it at the same time."""

    @property
    def info(self) -> ModelInfo: ...

    def warm_up(self) -> None:
        """Do now what the first batch would otherwise wait for. Blocks for seconds."""
        ...

    def detect(self, pictures: Sequence[Picture]) -> list[Detections]:
        """As many results as pictures, in their order. Blocks. Neither keeps nor changes the pictures.

        Raises OutOfMemoryError, and may raise anything else: the caller then tries the pictures one by one, to find
        those that it fails on.
        """
        ...


class Network(Protocol):
    """A model in a runtime."""

    def forward(self, canvases: NDArray[np.uint8]) -> Sequence[Output]:
        """(n, H, W, 3) BGR -> n arrays (k, 6): x1, y1, x2, y2, confidence, class.

        H and W are multiples of the model's stride. The boxes are in canvas pixels, without duplicates.
        A pose model's rows continue with x, y (and confidence) of each keypoint,
        an OBB model's with x, y of each corner. A segmentation model's rows come with prototypes, unless there are
        none. The caller owns the canvases again when this returns.
        """
        ...


class CardNetwork(Protocol):
    """A model that reads pictures where they lie on its card."""

    def forward_on_card(self, pictures: Sequence[OnCard], fits: Sequence[Fit]) -> Sequence[Output]:
        """As Network's `forward`, with the pictures drawn on canvases of one shape, where `fits` says."""
        ...


class LetterboxDetector:
    """A Detector over a Network.

    A picture's canvas depends on its own shape alone and not on the others of its batch: otherwise a replay, whose
    batches differ, would not give the same detections.
    """

    def __init__(
        self,
        network: Network,
        info: ModelInfo,
        batch_size: int,
        confidence: float,
        on_card: CardNetwork | None = None,
    ) -> None:
        """`on_card`: the same model, for pictures on its card."""
        self._network = network
        self._on_card = on_card
        self._info = info
        self._batch_size = batch_size
        self._confidence = confidence
        side = on_grid(info.imgsz, info.head.stride)
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

    def detect(self, pictures: Sequence[Picture]) -> list[Detections]:
        pixels = self._buffers.pop()
        try:
            return self._detect(pictures, pixels)
        finally:
            self._buffers.append(pixels)

    def _detect(self, pictures: Sequence[Picture], pixels: NDArray[np.uint8]) -> list[Detections]:
        fits = [self._fit(picture) for picture in pictures]
        groups: dict[tuple[bool, tuple[int, int]], list[int]] = {}
        for index, (picture, placed) in enumerate(zip(pictures, fits, strict=True)):
            groups.setdefault((isinstance(picture, np.ndarray), placed.canvas), []).append(index)
        found: dict[int, Detections] = {}
        for members in groups.values():
            for start in range(0, len(members), self._batch_size):
                part = members[start : start + self._batch_size]
                rows = self._forward([pictures[i] for i in part], [fits[i] for i in part], pixels)
                for index, row in zip(part, rows, strict=True):
                    found[index] = self._found(row, fits[index], pictures[index])
        return [found[index] for index in range(len(pictures))]

    def _forward(self, pictures: Sequence[Picture], fits: Sequence[Fit], pixels: NDArray[np.uint8]) -> Sequence[Output]:
        """All of the pictures are on the host, or all are on the card."""
        on_host = [picture for picture in pictures if isinstance(picture, np.ndarray)]
        if on_host:
            return self._network.forward(drawn(on_host, fits, pixels))
        if self._on_card is None:
            raise TypeError(f"{self._info.runtime} takes pictures from the host only")
        return self._on_card.forward_on_card([each for each in pictures if not isinstance(each, np.ndarray)], fits)

    def _fit(self, picture: Picture) -> Fit:
        place = stretched if self._info.head.queries else fit
        return place(picture.shape[0], picture.shape[1], self._info.imgsz, self._info.canvas, self._info.head.stride)

    def _found(self, answer: Output, placed: Fit, picture: Picture) -> Detections:
        rows = answer.rows if isinstance(answer, Segmentation) else answer
        if np.isnan(rows[:, 4]).any():  # no comparison holds for it: it would look like a picture without defects
            raise ValueError(NOT_FINITE)
        rows = rows[rows[:, 4] >= self._confidence]
        if not len(rows) and self._info.head.task == "detect":  # most frames of most lines
            return Detections(rows[:, :4], rows[:, 4], rows[:, 5].astype(np.int64))
        if not np.isfinite(rows).all():
            raise ValueError(NOT_FINITE)
        if rows[:, 5].max(initial=0) >= len(self._info.classes):
            raise ValueError(f"class {rows[:, 5].max():.0f}, but the model names {len(self._info.classes)} classes")
        height, width = picture.shape[:2]
        boxes = np.clip(placed.back(rows[:, :4]), 0, np.array([width, height] * 2, np.float32))
        kept = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
        order = np.argsort(-rows[kept, 4], kind="stable")
        rows, boxes = rows[kept][order], boxes[kept][order]
        found = Detections(boxes.astype(np.float32), np.minimum(rows[:, 4], np.float32(1)), rows[:, 5].astype(np.int64))
        if self._info.head.task == "detect":
            return found
        return self._shaped(found, rows, answer, placed)

    def _shaped(self, found: Detections, rows: NDArray[np.float32], answer: Output, placed: Fit) -> Detections:
        """`found` with the shapes that the model's task adds. `rows` are in the same order."""
        head, extra = self._info.head, rows[:, BOX_COLUMNS:]
        match head.task:
            case "segment":
                return replace(found, polygons=_polygons(rows, answer, placed))
            case "pose":
                points = extra.reshape(-1, head.keypoints, head.keypoint_values)
                places = placed.back(points[..., :2]).clip(0, placed.end)
                return replace(found, keypoints=np.concatenate([places, points[..., 2:].clip(0, 1)], axis=2))
            case _:
                return replace(found, corners=placed.back(extra).reshape(-1, 4, 2))


def _polygons(rows: NDArray[np.float32], answer: Output, placed: Fit) -> tuple[NDArray[np.float32] | None, ...]:
    """The outline of each mask inside the picture, without the padding."""
    if not isinstance(answer, Segmentation):  # no detections
        return ()
    start = np.array([placed.left, placed.top] * 2)
    boxes = rows[:, :4].clip(start, start + [placed.size[1], placed.size[0]] * 2)
    outlines = (
        outline(row[BOX_COLUMNS:], answer.prototypes, box, placed.canvas) for row, box in zip(rows, boxes, strict=True)
    )
    return tuple(None if one is None else placed.back(one) for one in outlines)
