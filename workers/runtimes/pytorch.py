"""Serves a .pt with torch: on CUDA in fp16, on a CPU in fp32, if nothing else is set."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from andon.errors import ConfigError
from andon.pictures.picture import OnCard
from andon.process.machine import cores
from workers.detector import NOT_FINITE, Output
from workers.letterbox import Fit
from workers.runtimes.cuda_stream import OwnStream
from workers.runtimes.memory import torch_memory
from workers.runtimes.outputs import OutputReader
from workers.runtimes.setup import Computed
from workers.runtimes.suppression import MAX_DETECTIONS, MAX_ROTATED, NMS_IOU
from workers.runtimes.tensors import drawn
from workers.runtimes.ultralytics_model import YoloModel

MAX_BOXES = 30_000
"""ultralytics' default. Of more boxes, the least confident are dropped before they are compared."""


def cuda_available() -> bool:
    return torch.cuda.is_available()


def computes_bf16(device: str = "cpu") -> bool:
    """Whether the device computes bf16 by itself. torch imitates it elsewhere, many times slower."""
    if device.startswith("cuda"):
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def device_named(name: str, where: str) -> torch.device:
    """`auto` is the first GPU, else the CPU. Raises ConfigError for a device that this machine lacks."""
    if name == "auto":
        return torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ConfigError(f"{where}.device: {name!r} is missing here: {reason}") from None
    return device


def card_of(device: torch.device) -> str | None:
    """The number of a GPU, as CUDA counts. None: it is no NVIDIA GPU."""
    return str(device.index or 0) if device.type == "cuda" else None


class TorchNetwork:
    """A Network over a DetectionModel."""

    def __init__(
        self, opened: YoloModel, device: torch.device, confidence: float, precision: Computed | None = None
    ) -> None:
        """`precision`: None is fp16 on CUDA and fp32 elsewhere."""
        self._device = device
        self._half = device.type == "cuda" if precision is None else precision == "fp16"
        self._bf16 = precision == "bf16"
        self._nms_free = opened.nms_free or opened.head.queries
        self._confidence = confidence
        self._head = opened.head
        self._class_count = len(opened.classes)
        self._reader = OutputReader(opened.head, len(opened.classes), confidence)
        model = opened.model.fuse().to(device, memory_format=torch.channels_last)
        self._model: Any = model.half() if self._half else model
        if device.type == "cpu":
            torch.set_num_threads(cores())  # ultralytics leaves one thread on a small machine
        self._stream = OwnStream(device)

    def forward(self, canvases: NDArray[np.uint8]) -> Sequence[Output]:
        with self._computing():
            return self._forward(torch.from_numpy(canvases).to(self._device))

    def forward_on_card(self, pictures: Sequence[OnCard], fits: Sequence[Fit]) -> Sequence[Output]:
        with self._computing():
            return self._forward(drawn(pictures, fits))

    @contextmanager
    def _computing(self) -> Iterator[None]:
        bf16 = torch.autocast(self._device.type, torch.bfloat16, enabled=self._bf16)
        with torch_memory(), torch.inference_mode(), self._stream.current(), bf16:
            yield

    def _forward(self, canvases: torch.Tensor) -> Sequence[Output]:
        """`canvases`: uint8 (n, H, W, 3) on the device."""
        # (n, H, W, BGR) viewed as (n, BGR, H, W) is channels_last already; flip makes it RGB in the same layout
        pixels = canvases.permute(0, 3, 1, 2).flip(1)
        inputs = (pixels.half() if self._half else pixels.float()).mul_(1 / 255)
        output = self._model(inputs.contiguous(memory_format=torch.channels_last))
        predicted = output[0] if isinstance(output, (tuple, list)) else output
        predicted, prototypes = predicted if isinstance(predicted, tuple) else (predicted, None)
        rows = predicted.float() if self._nms_free else self._suppressed(predicted.float())
        if self._head.task == "detect" and not self._head.queries:
            return [row.cpu().numpy() for row in rows]
        canvas = canvases.shape[1], canvases.shape[2]
        return [self._answer(row.cpu().numpy(), prototypes, index, canvas) for index, row in enumerate(rows)]

    def _answer(
        self, rows: NDArray[np.float32], prototypes: torch.Tensor | None, index: int, canvas: tuple[int, int]
    ) -> Output:
        """For the picture `index`. Its prototypes are fetched only if it has detections."""
        detected = prototypes is not None and bool((rows[:, 4] >= self._confidence).any())
        fetched = prototypes[index].float().cpu().numpy() if prototypes is not None and detected else None
        return self._reader.read_one(rows, fetched, canvas)

    def _suppressed(self, predicted: torch.Tensor) -> list[torch.Tensor]:
        from ultralytics.utils.nms import non_max_suppression  # noqa: PLC0415 - after import_ultralytics

        if torch.isnan(predicted[:, 4 : 4 + self._class_count].amax(1)).any():
            raise ValueError(NOT_FINITE)
        rotated = self._head.task == "obb"
        kept: list[torch.Tensor] = non_max_suppression(
            predicted,
            self._confidence,
            NMS_IOU,
            max_det=MAX_DETECTIONS,
            nc=self._class_count,
            max_nms=MAX_ROTATED if rotated else MAX_BOXES,
            rotated=rotated,
        )
        return kept
