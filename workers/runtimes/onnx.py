"""Serves an ONNX model with ONNX Runtime, which runs nearly everywhere. Needs neither torch nor ultralytics."""

import ast
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime.capi.onnxruntime_pybind11_state import Fail, RuntimeException

from andon.errors import ConfigError
from andon.process.machine import cores
from workers.detector import BuiltIn, OutOfMemoryError, Output
from workers.runtimes.built_in import of_onnx, suppresses
from workers.runtimes.outputs import OutputReader
from workers.task import PLAIN, Head, read_head, require_input

CUDA = "CUDAExecutionProvider"
CPU = "CPUExecutionProvider"
"""Providers are named, so that ONNX Runtime never chooses one that talks to a service (each wheel has Azure's)."""
INPUTS: dict[str, type[np.floating[Any]]] = {"tensor(float)": np.float32, "tensor(float16)": np.float16}
NO_MEMORY = ("Failed to allocate memory", "CUDNN_STATUS_ALLOC_FAILED", "CUBLAS_STATUS_ALLOC_FAILED", "out of memory")
"""What ONNX Runtime 1.32, cuDNN, cuBLAS and CUDA write when a device has too little memory."""
LITERALS = ("names", "imgsz", "kpt_shape", "kpt_names", "args", "end2end")
"""Metadata that is written as Python literals."""
ERRORS_ONLY = 3
"""ONNX Runtime's own log levels: 2 is a warning."""


@dataclass(frozen=True, slots=True)
class OnnxModel:
    """A YOLO or RT-DETR model that ONNX Runtime has loaded, with its description."""

    session: Any
    """An onnxruntime.InferenceSession. It may run in several threads at once."""
    device: str
    """`cpu` or `cuda:N`."""
    lanes: int
    """The number of simultaneous runs that keeps the device busy."""
    classes: tuple[str, ...]
    imgsz: int
    batch: int | None
    """Pictures in a run, if the model takes only this number."""
    canvas: tuple[int, int] | None
    """Height and width, where the model takes only one."""
    floats: type[np.floating[Any]]
    """The number format of the input."""
    head: Head = PLAIN
    built_in: BuiltIn | None = None


def open_onnx(path: Path, device: str, batch_size: int, named: str, lanes: int | None = None) -> OnnxModel:
    """Load a model that ultralytics exported, for batches of up to `batch_size`; `named` begins each message.

    `device`: auto (the first GPU where this ONNX Runtime has CUDA, else the CPU), cpu, cuda or cuda:N.
    `lanes`: runs side by side on a CPU. None: one for each core.

    Raises:
        ConfigError: it is not such a model, or the device is missing.
    """
    place = _place(device, named)
    lanes = 1 if place != "cpu" else min(batch_size, lanes or cores())
    session = _session(path, place, lanes, named)
    if place != "cpu" and session.get_providers()[0] != CUDA:  # the library is there, the GPU or its driver is not
        if device != "auto":
            raise ConfigError(f"{named}: ONNX Runtime can't serve it on {place}: it found no GPU that it can use")
        return open_onnx(path, "cpu", batch_size, named, lanes)
    return _described(session, place, lanes, path, named)


class OnnxNetwork:
    """A Network over an ONNX model. On a CPU the pictures of a batch run side by side, each on one core.

    All cores on one picture cost a third more: measured with YOLO26n at 320 on two cores, 12.1 ms of CPU against 9.3.
    """

    def __init__(self, model: OnnxModel, confidence: float) -> None:
        self._model = model
        self._reader = OutputReader(model.head, len(model.classes), confidence)
        self._input = model.session.get_inputs()[0].name
        self._outputs = [output.name for output in model.session.get_outputs()]
        self._pool = ThreadPoolExecutor(model.lanes, "onnx")
        self._pixels: NDArray[Any] = np.zeros(0, model.floats)

    def forward(self, canvases: NDArray[np.uint8]) -> Sequence[Output]:
        together = self._model.batch or (1 if self._model.device == "cpu" else len(canvases))
        inputs = self._inputs(-(-len(canvases) // together) * together, *canvases.shape[1:3])
        starts = range(0, len(canvases), together)
        parts = [canvases[start : start + together] for start in starts]
        rooms = [inputs[start : start + together] for start in starts]
        return [rows for done in self._pool.map(self._run, parts, rooms) for rows in done]

    def _inputs(self, count: int, height: int, width: int) -> NDArray[Any]:
        size = count * 3 * height * width
        if self._pixels.size < size:
            self._pixels = np.zeros(size, self._model.floats)
        return self._pixels[:size].reshape(count, 3, height, width)

    def _run(self, part: NDArray[np.uint8], inputs: NDArray[Any]) -> Sequence[Output]:
        """Inputs past the length of `part` fill up a batch of fixed size. Their outputs are dropped."""
        planes = part.transpose(0, 3, 1, 2)[:, ::-1]
        np.multiply(planes, np.float32(1 / 255), out=inputs[: len(part)], casting="same_kind")
        with _memory():
            outputs = self._model.session.run(self._outputs, {self._input: inputs})
        numbers = [output[: len(part)].astype(np.float32, copy=False) for output in outputs]
        return self._reader.read(numbers, part.shape[1:3])


@contextmanager
def _memory() -> Iterator[None]:
    """Raises OutOfMemoryError in place of ONNX Runtime's own errors, which have no type for it: only a text."""
    try:
        yield
    except (RuntimeException, Fail) as error:
        message = str(error)
        if not any(sign in message for sign in NO_MEMORY):
            raise
        raise OutOfMemoryError(message.strip().splitlines()[-1][:200]) from error


def _place(device: str, named: str) -> str:
    cuda = CUDA in onnxruntime.get_available_providers()
    if device == "auto":
        return "cuda:0" if cuda else "cpu"
    if device == "cpu":
        return device
    kind, _, index = device.partition(":")
    if kind != "cuda" or not (index or "0").isdecimal():
        raise ConfigError(f"{named}: ONNX Runtime can't serve it on {device}: only on auto, cpu and cuda:N")
    if not cuda:
        raise ConfigError(f"{named}: ONNX Runtime can't serve it on {device}: pip install onnxruntime-gpu in its place")
    return f"cuda:{index or 0}"


def _session(path: Path, place: str, lanes: int, named: str) -> Any:
    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = ERRORS_ONLY
    options.intra_op_num_threads = max(1, cores() - lanes + 1)  # each run brings its own thread and shares the others
    providers: list[Any] = [CPU]
    if place != "cpu":
        providers.insert(0, (CUDA, {"device_id": int(place.partition(":")[2])}))
    try:
        return onnxruntime.InferenceSession(path, options, providers)
    except Exception as error:  # ONNX Runtime's errors have no base of their own
        reason = " ".join(str(error).split())[-200:]
        raise ConfigError(f"{named}: not a model that ONNX Runtime opens on {place}: {reason}") from None


def _described(session: Any, place: str, lanes: int, path: Path, named: str) -> OnnxModel:
    """From the metadata that ultralytics writes into the file: texts, most of them Python literals."""
    texts = session.get_modelmeta().custom_metadata_map
    try:
        metadata = {key: ast.literal_eval(texts[key]) for key in LITERALS if key in texts}
        names = metadata["names"]
        classes = tuple(str(names[index]) for index in sorted(names))
        imgsz = max(int(side) for side in metadata["imgsz"])
        head = read_head(texts | metadata, named)
    except (KeyError, TypeError, ValueError, SyntaxError, AttributeError) as error:
        raise ConfigError(f"{named}: not an ONNX model that ultralytics exported ({type(error).__name__})") from None
    floats, (batch, height, width) = _input(session, named)
    canvas = None if height is None or width is None else (height, width)
    built_in = of_onnx(path) if suppresses(metadata) else None
    return OnnxModel(session, place, lanes, classes, imgsz, batch, canvas, floats, head, built_in)


def _input(session: Any, named: str) -> tuple[type[np.floating[Any]], list[int | None]]:
    """The input's number format, and its batch, height and width, None where it takes any. Raises ConfigError."""
    given, *more = session.get_inputs()
    if more or given.type not in INPUTS:
        kinds = ", ".join(one.type for one in (given, *more))
        raise ConfigError(f"{named}: a model with the input {kinds}; one of {' or '.join(INPUTS)} is needed")
    require_input(given.shape, named)
    return INPUTS[given.type], [side if isinstance(side, int) else None for side in (given.shape[0], *given.shape[2:])]
