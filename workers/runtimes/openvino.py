"""Serves an OpenVINO model, the fastest that a CPU has. Needs neither torch nor ultralytics."""

import hashlib
import importlib
import sys
import threading
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
from workers.detector import OutOfMemoryError, Output
from workers.runtimes.outputs import OutputReader
from workers.task import PLAIN, Head, read_head

CHUNK = 4
"""Frames in one request. More bring nothing on a CPU, and each size is compiled separately."""
MAX_COMPILED = 32
"""Compiled shapes that are kept, about 20 MB each. Past that number the least recently used one is dropped."""
AT_ONCE = 2
"""Simultaneous batches, each on its own thread: while one is letterboxed or read out, the other's requests keep the
cores busy."""
NO_MEMORY = ("std::bad_alloc", "CL_OUT_OF_RESOURCES", "CL_MEM_OBJECT_ALLOCATION_FAILURE", "CL_OUT_OF_HOST_MEMORY")
"""What C++ and OpenCL say when a device has too little memory."""
HINT = {"PERFORMANCE_HINT": "THROUGHPUT"}
"""Several requests at once, each on a few threads, instead of one request on all threads: threads that wait for each
other cost a third of the time. Source: OpenVINO, "High-level Performance Hints"."""


@dataclass(frozen=True, slots=True)
class OpenVinoExport:
    """An exported folder's description."""

    xml: Path
    classes: tuple[str, ...]
    imgsz: int
    nms_free: bool
    fixed: tuple[int, int, int] | None
    """Batch, height and width, if the export has only one shape."""
    head: Head = PLAIN


def read_export(folder: Path, where: str) -> OpenVinoExport:
    """Raises ConfigError if ultralytics did not export `folder`, or if its task is not served."""
    models = sorted(folder.glob("*.xml"))
    card = folder / "metadata.yaml"
    if len(models) != 1 or not card.is_file():
        raise ConfigError(f"{where}: {folder}: not an OpenVINO export (one .xml, its .bin and metadata.yaml)")
    try:
        said = yaml.safe_load(card.read_text(encoding="utf-8"))
        names = said["names"]
        imgsz = [int(side) for side in said["imgsz"]]
        fixed = None if said.get("args", {}).get("dynamic") else (int(said.get("batch", 1)), imgsz[0], imgsz[1])
        classes = tuple(str(names[index]) for index in sorted(names))
        head = read_head(said, f"{where}: {folder}")
    except (yaml.YAMLError, KeyError, TypeError, ValueError, IndexError) as error:
        raise ConfigError(f"{where}: {card}: not what ultralytics writes ({type(error).__name__})") from None
    return OpenVinoExport(models[0], classes, max(imgsz), bool(said.get("end2end")), fixed, head)


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
        said = str(error)
        if not any(sign in said for sign in NO_MEMORY):
            raise
        raise OutOfMemoryError(said.strip().splitlines()[-1][:200]) from error


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
    idle: deque[Any] = field(default_factory=deque)

    def take(self) -> Any:
        try:
            return self.idle.pop()
        except IndexError:
            return self.model.create_infer_request()


class OpenVinoNetwork:
    """A Network over an exported model. It is compiled for each shape: 0.3 s each, the common ones at warm-up."""

    at_once = AT_ONCE

    def __init__(self, exported: OpenVinoExport, device: str, confidence: float, named: str) -> None:
        """Raises ConfigError if the model can't be read or the device is missing; `named` begins the message."""
        self._ov = import_openvino()
        self._core = self._ov.Core()
        try:
            self._core.get_property(device, "FULL_DEVICE_NAME")
            self._core.read_model(exported.xml)
        except RuntimeError as error:
            reason = " ".join(str(error).split())[-200:]
            raise ConfigError(f"{named}: OpenVINO can't serve it on {device}: {reason}") from None
        self._exported = exported
        self.device = device
        self._reader = OutputReader(exported.head, len(exported.classes), confidence)
        self._pools: OrderedDict[tuple[int, int, int], _Pool] = OrderedDict()
        self._choosing = threading.Lock()

    def forward(self, canvases: NDArray[np.uint8]) -> Sequence[Output]:
        rows: list[Output] = []
        busy: deque[tuple[_Pool, Any, int]] = deque()
        begun = 0
        while begun < len(canvases):
            size = self._chunk(len(canvases) - begun)
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

    def _chunk(self, left: int) -> int:
        if self._exported.fixed is not None:
            return self._exported.fixed[0]
        return CHUNK if left >= CHUNK else 1

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
            pool = self._pools.pop(shape, None)
            if pool is None:
                model = self._compile(shape)
                pool = _Pool(model, int(model.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")))
            self._pools[shape] = pool
            if len(self._pools) > MAX_COMPILED:
                self._pools.popitem(last=False)
            return pool

    def _compile(self, shape: tuple[int, int, int]) -> Any:
        """For uint8 NHWC BGR canvases of `shape`. Conversion and scaling become part of the model."""
        ov = self._ov
        model = self._core.read_model(self._exported.xml)
        if self._exported.fixed is None:
            model.reshape([shape[0], 3, shape[1], shape[2]])
        steps = ov.preprocess.PrePostProcessor(model)
        tensor = steps.input().tensor()
        tensor.set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC"))
        tensor.set_color_format(ov.preprocess.ColorFormat.BGR)
        convert = steps.input().preprocess().convert_element_type(ov.Type.f32)
        convert.convert_color(ov.preprocess.ColorFormat.RGB).scale(255.0)
        steps.input().model().set_layout(ov.Layout("NCHW"))
        return self._core.compile_model(steps.build(), self.device, HINT)
