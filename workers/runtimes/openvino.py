"""Serves an OpenVINO model, the fastest that a CPU has. Needs neither torch nor ultralytics."""

import hashlib
import importlib
import sys
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from andon.errors import ConfigError
from andon.process.machine import memory_bytes, resident_bytes
from workers.detector import OutOfMemoryError, Output
from workers.runtimes.built_in import of_openvino, suppresses
from workers.runtimes.openvino_options import BY_ITSELF, CompileOptions, properties, require_capable
from workers.runtimes.outputs import OutputReader
from workers.task import PLAIN, Head, read_head, require_input

CHUNK = 4
"""Frames in one request, where that costs less than as many requests. Each size is compiled separately."""
SLOW_S = 0.5
"""CHUNK frames that take this long one by one keep every core busy, so that larger requests gain nothing."""
TURNS = 2
LEAST_COMPILED = 4
"""Compiled shapes that are kept in any case: of two sizes of pictures, alone and CHUNK at a time."""
MEMORY_SHARE = 8
"""All compiled shapes together get that part of the memory, unless `model.compiled_bytes` says more or less."""
AT_ONCE = 2
"""Simultaneous batches, each on its own thread: while one is letterboxed or read out, the other's requests keep the
cores busy."""
NO_MEMORY = ("std::bad_alloc", "CL_OUT_OF_RESOURCES", "CL_MEM_OBJECT_ALLOCATION_FAILURE", "CL_OUT_OF_HOST_MEMORY")
"""What C++ and OpenCL say when a device has too little memory."""


@dataclass(frozen=True, slots=True)
class OpenVinoExport:
    """An exported folder's description."""

    xml: Path
    classes: tuple[str, ...]
    imgsz: int
    head: Head = PLAIN
    suppresses: bool = False
    """It was exported with its own suppression."""


def read_export(folder: Path, where: str) -> OpenVinoExport:
    """Raises ConfigError if ultralytics did not export `folder`, or if its task is not served."""
    models = sorted(folder.glob("*.xml"))
    card = folder / "metadata.yaml"
    if len(models) != 1 or not card.is_file():
        raise ConfigError(f"{where}: {folder}: not an OpenVINO export (one .xml, its .bin and metadata.yaml)")
    try:
        metadata = yaml.safe_load(card.read_text(encoding="utf-8"))
        names = metadata["names"]
        imgsz = [int(side) for side in metadata["imgsz"]]
        classes = tuple(str(names[index]) for index in sorted(names))
        head = read_head(metadata, f"{where}: {folder}")
    except (yaml.YAMLError, KeyError, TypeError, ValueError, IndexError) as error:
        raise ConfigError(f"{where}: {card}: not what ultralytics writes ({type(error).__name__})") from None
    return OpenVinoExport(models[0], classes, max(imgsz), head, suppresses(metadata))


def export_digest(exported: OpenVinoExport) -> str:
    """sha256 of the .xml followed by the .bin."""
    digest = hashlib.sha256()
    for path in (exported.xml, exported.xml.with_suffix(".bin")):
        digest.update(path.read_bytes())
    return digest.hexdigest()


@contextmanager
def _memory() -> Iterator[None]:
    """Raises OutOfMemoryError in place of OpenVINO's RuntimeError, which is the same for every failure but its text."""
    try:
        yield
    except RuntimeError as error:
        message = str(error)
        if not any(sign in message for sign in NO_MEMORY):
            raise
        raise OutOfMemoryError(message.strip().splitlines()[-1][:200]) from error


def import_openvino() -> Any:
    """The module without its telemetry, which would report each conversion to an analytics service.

    If `openvino_telemetry` can't be imported, OpenVINO uses its own stub.
    """
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # None makes its import fail
    return importlib.import_module("openvino")


@dataclass(frozen=True, slots=True, eq=False)
class _Pool:
    """The requests of one shape, for any thread."""

    model: Any
    streams: int
    """Requests that run side by side. Further ones wait inside OpenVINO."""
    bytes: int
    idle: deque[Any] = field(default_factory=deque)

    def take(self) -> Any:
        try:
            return self.idle.pop()
        except IndexError:
            return self.model.create_infer_request()


@dataclass(frozen=True, slots=True)
class _Input:
    """The sizes of the model's input, None where it takes any."""

    batch: int | None
    height: int | None
    width: int | None


class OpenVinoNetwork:
    """A Network over an exported model. It is compiled for each shape: 0.3 s each, the common ones at warm-up.

    A compiled shape holds the model's weights once more. Shapes past `compiled_bytes` are dropped, the least recently
    used first: of a model with 43 million parameters one takes 0.4 GB, and pictures of many sizes have dozens.
    One compiled model for all shapes would be smaller, but OpenVINO 2026.4 corrupts its memory in it.
    """

    at_once = AT_ONCE

    def __init__(
        self, exported: OpenVinoExport, device: str, confidence: float, named: str, options: CompileOptions = BY_ITSELF
    ) -> None:
        """Raises ConfigError if the model can't be read, or the device is missing or lacks the precision; `named`
        begins the message."""
        self._ov = import_openvino()
        self._core = self._ov.Core()
        try:
            self._core.get_property(device, "FULL_DEVICE_NAME")
            model = self._core.read_model(exported.xml)
        except RuntimeError as error:
            reason = " ".join(str(error).split())[-200:]
            raise ConfigError(f"{named}: OpenVINO can't serve it on {device}: {reason}") from None
        require_capable(self._core, device, options.precision, named)
        self._options = options
        self._input = _input(model, named)
        self.built_in = of_openvino(model) if exported.suppresses else None
        self._exported = exported
        self.device = device
        self._reader = OutputReader(exported.head, len(exported.classes), confidence)
        self._pools: OrderedDict[tuple[int, int, int], _Pool] = OrderedDict()
        self._budget_bytes = options.compiled_bytes or memory_bytes() // MEMORY_SHARE
        self._chunk_size = options.frames
        self._choosing = threading.Lock()

    @property
    def canvas(self) -> tuple[int, int] | None:
        """Height and width, if the model takes only one size."""
        height, width = self._input.height, self._input.width
        return None if height is None or width is None else (height, width)

    def forward(self, canvases: NDArray[np.uint8]) -> Sequence[Output]:
        if self._input.batch is None and self._chunk_size is None and len(canvases) >= CHUNK:
            self._chunk_size = self._cheaper_chunk(canvases[:CHUNK])
        return self._forward(canvases, self._input.batch or self._chunk_size or 1)

    def _cheaper_chunk(self, canvases: NDArray[np.uint8]) -> int:
        """1 or CHUNK, whichever costs less on this machine: in turns, after one of each.

        With a chunk for each stream, as under load: a single one would leave the other streams' cores idle.
        """
        since_s = time.perf_counter()
        self._forward(canvases, 1)
        if time.perf_counter() - since_s > SLOW_S:
            return 1
        several = np.concatenate([canvases] * self._pool((1, *canvases.shape[1:3])).streams)
        cost_s = {1: float("inf"), CHUNK: float("inf")}
        for turn in range(TURNS + 1):
            for size in (1, CHUNK):
                taken_s = self._cost_s(several, size)
                if turn:
                    cost_s[size] = min(cost_s[size], taken_s)
        return min(cost_s, key=lambda size: cost_s[size])

    def _cost_s(self, canvases: NDArray[np.uint8], size: int) -> float:
        """CPU time on a CPU, since other processes may hold its cores now; else wall time."""
        now_s = time.process_time if self.device == "CPU" else time.perf_counter
        since_s = now_s()
        self._forward(canvases, size)
        return now_s() - since_s

    def _forward(self, canvases: NDArray[np.uint8], chunk: int) -> Sequence[Output]:
        rows: list[Output] = []
        busy: deque[tuple[_Pool, Any, int]] = deque()
        begun = 0
        while begun < len(canvases):
            size = chunk if self._input.batch or len(canvases) - begun >= chunk else 1
            pool = self._pool((size, *canvases.shape[1:3]))
            if len(busy) >= pool.streams:
                rows += self._finished(*busy.popleft(), canvases.shape[1:3])
            part = canvases[begun : begun + size]
            request = pool.take()
            self._start(request, part, size)
            busy.append((pool, request, len(part)))
            begun += size
        while busy:
            rows += self._finished(*busy.popleft(), canvases.shape[1:3])
        return rows

    def _start(self, request: Any, part: NDArray[np.uint8], size: int) -> None:
        if len(part) < size:  # an export of one fixed size
            part = np.concatenate([part, np.zeros((size - len(part), *part.shape[1:]), np.uint8)])
        request.start_async({0: part}, share_inputs=True)

    def _finished(self, pool: _Pool, request: Any, count: int, canvas: tuple[int, int]) -> Sequence[Output]:
        with _memory():
            request.wait()
        outputs: list[NDArray[np.float32]] = [tensor.data[:count] for tensor in request.output_tensors]
        answers = self._reader.read(outputs, canvas)
        pool.idle.append(request)  # only now: another thread may take it at once
        return answers

    def _pool(self, shape: tuple[int, int, int]) -> _Pool:
        with self._choosing:
            pool = self._pools.pop(shape, None) or self._compiled(shape)
            self._pools[shape] = pool
            while len(self._pools) > LEAST_COMPILED and self._held_bytes() > self._budget_bytes:
                self._pools.popitem(last=False)
            return pool

    def _held_bytes(self) -> int:
        return sum(pool.bytes for pool in self._pools.values())

    def _compiled(self, shape: tuple[int, int, int]) -> _Pool:
        """With its first request done, in which OpenVINO takes most of the memory. That is measured."""
        before = resident_bytes()
        with _memory():
            model = self._compile(shape)
            request = model.create_infer_request()
            request.infer({0: np.zeros((*shape, 3), np.uint8)})
        least = self._exported.xml.with_suffix(".bin").stat().st_size
        streams = int(model.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS"))
        return _Pool(model, streams, max(least, resident_bytes() - before), deque([request]))

    def _compile(self, shape: tuple[int, int, int]) -> Any:
        """For uint8 NHWC BGR canvases of `shape`. Conversion and scaling become part of the model."""
        ov = self._ov
        model = self._core.read_model(self._exported.xml)
        model.reshape([shape[0], 3, shape[1], shape[2]])
        steps = ov.preprocess.PrePostProcessor(model)
        tensor = steps.input().tensor()
        tensor.set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC"))
        tensor.set_color_format(ov.preprocess.ColorFormat.BGR)
        convert = steps.input().preprocess().convert_element_type(ov.Type.f32)
        convert.convert_color(ov.preprocess.ColorFormat.RGB).scale(255.0)
        steps.input().model().set_layout(ov.Layout("NCHW"))
        return self._core.compile_model(steps.build(), self.device, properties(self._options, self.device))


def _input(model: Any, named: str) -> _Input:
    """Raises ConfigError unless the model takes one picture of three channels, channels first."""
    shape = model.input(0).get_partial_shape()
    sides = [side.get_length() if side.is_static else None for side in shape] if shape.rank.is_static else []
    if len(model.inputs) != 1:
        raise ConfigError(f"{named}: a model with {len(model.inputs)} inputs; one of a single input is needed")
    require_input(sides, named)
    return _Input(sides[0], sides[2], sides[3])
