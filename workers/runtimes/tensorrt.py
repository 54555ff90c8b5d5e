"""Serves a TensorRT engine, the fastest runtime on an NVIDIA GPU. An engine fits one kind of GPU and one TensorRT.

torch allocates the GPU's memory for it. It needs TensorRT 10 or newer. It was written from the vendor's documentation
and from ultralytics' engine files, on a machine without a GPU; the conformance suite runs it wherever there is one.
"""

import importlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from andon.errors import ConfigError
from andon.pictures.picture import OnCard
from workers.detector import BuiltIn, Output
from workers.letterbox import Fit
from workers.runtimes.built_in import suppresses
from workers.runtimes.cuda_stream import OwnStream
from workers.runtimes.memory import torch_memory
from workers.runtimes.outputs import OutputReader
from workers.runtimes.tensors import drawn
from workers.task import Head, read_head

HEADER_BYTES = 4
"""ultralytics writes a length (little-endian), JSON of that length in bytes, and the engine."""
MAX_HEADER_BYTES = 1_000_000


@dataclass(frozen=True, slots=True)
class Engine:
    """An engine on its GPU, with its description."""

    engine: Any
    """A tensorrt.ICudaEngine."""
    context: Any
    place: torch.device
    input: str
    outputs: tuple[str, ...]
    """In the model's order. The first holds the boxes."""
    most: int
    """Largest number of pictures in a run."""
    fixed: bool
    """A run takes exactly that number."""
    classes: tuple[str, ...]
    imgsz: int
    head: Head
    canvas: tuple[int, int] | None
    built_in: BuiltIn | None = None

    @property
    def device(self) -> str:
        return str(self.place)


@dataclass(frozen=True, slots=True)
class Header:
    """ultralytics' description of an engine, which stands before the engine in the file."""

    classes: tuple[str, ...]
    imgsz: int
    head: Head
    plan: bytes = field(repr=False)
    built_in: BuiltIn | None = None
    """An engine is opaque: its thresholds are unknown."""


def read_header(path: Path, named: str) -> Header:
    """Raises ConfigError if ultralytics did not build the engine, or if its task is not served."""
    content = path.read_bytes()
    length = int.from_bytes(content[:HEADER_BYTES], "little")
    try:
        if not 0 < length < MAX_HEADER_BYTES:
            raise ValueError("no header")
        metadata = json.loads(content[HEADER_BYTES : HEADER_BYTES + length])
        names = {int(number): str(name) for number, name in metadata["names"].items()}
        classes = tuple(names[index] for index in sorted(names))
        imgsz = max(int(side) for side in metadata["imgsz"])
        head = read_head(metadata, named)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"{named}: not a TensorRT engine that ultralytics built ({type(error).__name__})") from None
    return Header(classes, imgsz, head, content[HEADER_BYTES + length :], BuiltIn() if suppresses(metadata) else None)


def open_engine(find: Callable[[], Path], device: str, named: str) -> Engine:
    """Load the engine that `find` returns; `find` may build it for minutes. `named` begins each message.

    `device`: auto (the first GPU), cuda or cuda:N. Raises ConfigError: no GPU, no such engine, or one of another kind.
    """
    if not torch.cuda.is_available():
        raise ConfigError(f"{named}: TensorRT needs an NVIDIA GPU and its driver; this machine shows none")
    if device != "auto" and not device.startswith("cuda"):
        raise ConfigError(f"{named}: TensorRT can't serve it on {device}: only on auto and cuda:N")
    place = torch.device("cuda:0" if device in ("auto", "cuda") else device)
    header = read_header(find(), named)
    trt: Any = importlib.import_module("tensorrt")
    with torch.cuda.device(place):
        engine = trt.Runtime(trt.Logger(trt.Logger.ERROR)).deserialize_cuda_engine(header.plan)
        context = engine and engine.create_execution_context()
    if not context:
        raise ConfigError(f"{named}: TensorRT {trt.__version__} can't load it on this GPU: export it here again")
    return _described(trt, engine, context, place, header)


def _described(trt: Any, engine: Any, context: Any, place: torch.device, header: Header) -> Engine:
    names = [engine.get_tensor_name(index) for index in range(engine.num_io_tensors)]
    inputs = [name for name in names if engine.get_tensor_mode(name) == trt.TensorIOMode.INPUT]
    batch, _, height, width = engine.get_tensor_shape(inputs[0])
    most = engine.get_tensor_profile_shape(inputs[0], 0)[2][0] if batch < 0 else batch
    return Engine(
        engine=engine,
        context=context,
        place=place,
        input=inputs[0],
        outputs=tuple(name for name in names if name not in inputs),
        most=int(most),
        fixed=batch > 0,
        classes=header.classes,
        imgsz=header.imgsz,
        head=header.head,
        canvas=(int(height), int(width)) if min(height, width) > 0 else None,
        built_in=header.built_in,
    )


class TensorRtNetwork:
    """A Network over an engine, on its own CUDA stream."""

    def __init__(self, engine: Engine, confidence: float) -> None:
        self._engine = engine
        self._reader = OutputReader(engine.head, len(engine.classes), confidence)
        self._stream = OwnStream(engine.place)

    def forward(self, canvases: NDArray[np.uint8]) -> list[Output]:
        with self._computing():
            return self._forward(torch.from_numpy(canvases))

    def forward_on_card(self, pictures: Sequence[OnCard], fits: Sequence[Fit]) -> list[Output]:
        with self._computing():
            return self._forward(drawn(pictures, fits))

    @contextmanager
    def _computing(self) -> Iterator[None]:
        with torch_memory(), torch.inference_mode(), self._stream.current():
            yield

    def _forward(self, canvases: torch.Tensor) -> list[Output]:
        answers: list[Output] = []
        for start in range(0, len(canvases), self._engine.most):
            answers += self._run(canvases[start : start + self._engine.most])
        return answers

    def _run(self, part: torch.Tensor) -> Sequence[Output]:
        outputs = [output[: len(part)].float().cpu().numpy() for output in self._execute(self._pixels(part))]
        return self._reader.read(outputs, (part.shape[1], part.shape[2]))

    def _pixels(self, part: torch.Tensor) -> torch.Tensor:
        """(n, 3, H, W) RGB, 0 to 1, filled up if a run takes a fixed number."""
        pixels = part.to(self._engine.place).permute(0, 3, 1, 2).flip(1)
        pixels = pixels.to(self._kind(self._engine.input)).mul_(1 / 255)
        if self._engine.fixed and len(part) < self._engine.most:
            missing = self._engine.most - len(part)
            pixels = torch.cat([pixels, pixels.new_zeros((missing, *pixels.shape[1:]))])
        return pixels.contiguous()

    def _execute(self, pixels: torch.Tensor) -> list[torch.Tensor]:
        context = self._engine.context
        if not context.set_input_shape(self._engine.input, tuple(pixels.shape)):
            raise ValueError(f"a batch of shape {tuple(pixels.shape)} is outside what the engine was built for")
        context.set_tensor_address(self._engine.input, pixels.data_ptr())
        answers = []
        for name in self._engine.outputs:
            shape = tuple(context.get_tensor_shape(name))
            answers.append(torch.empty(shape, dtype=self._kind(name), device=self._engine.place))
            context.set_tensor_address(name, answers[-1].data_ptr())
        if not context.execute_async_v3(self._stream.handle):
            raise RuntimeError("TensorRT did not run the batch")
        self._stream.finish()
        return answers

    def _kind(self, name: str) -> torch.dtype:
        kind = str(self._engine.engine.get_tensor_dtype(name)).rsplit(".", 1)[-1]
        return {"HALF": torch.float16, "FLOAT": torch.float32, "INT32": torch.int32, "INT64": torch.int64}[kind]
