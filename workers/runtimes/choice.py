"""From the settings of a pool's model to a detector: the file is checked, the runtime chosen, the model loaded."""

import ctypes.util
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from andon.errors import ConfigError
from andon.settings import ModelSettings, PoolSettings
from workers.detector import Detector, LetterboxDetector, ModelInfo
from workers.runtimes.manifest import Manifest, Runtime, file_digest, verified

Exported = Literal["openvino", "onnx", "tensorrt"]
"""The runtimes that serve a model which was exported for them."""
NEEDS: dict[Exported, tuple[str, str]] = {
    "openvino": ("openvino", "'andon[workers]'"),
    "onnx": ("onnxruntime", "'andon[onnx]'"),
    "tensorrt": ("tensorrt", "tensorrt 'andon[workers,onnx]'"),
}
"""The module and what pip installs it by."""
ON_CPU: tuple[Exported, ...] = ("openvino", "onnx")
"""On a CPU the first that is there serves a .pt, else torch does."""
FILES: dict[str, Exported] = {".onnx": "onnx", ".engine": "tensorrt"}
MODELS = "a YOLO .pt, an .onnx or .engine exported from one, or an exported OpenVINO folder"


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A weights file or folder that is there and has the digest that it should have, and how to serve it."""

    model: ModelSettings
    batch_size: int
    where: str
    """The section in line.yaml, with which messages begin."""
    path: Path
    digest: str
    manifest: Manifest | None

    @property
    def named(self) -> str:
        return f"{self.where}.weights: {self.path}"

    @property
    def cache(self) -> Path:
        return Path(self.model.cache).expanduser()

    @property
    def precision(self) -> str:
        if self.manifest is not None:
            return self.manifest.precision
        return "fp32" if self.path.suffix == ".pt" else ""


def load(pool: PoolSettings, name: str) -> Detector:
    """The detector of the pool `name`, not warmed up; see `open_model`."""
    return open_model(pool.model, pool.batch.size, f"pools.{name}.model")


def open_model(model: ModelSettings, batch_size: int, where: str) -> Detector:
    """A detector, not warmed up. Blocks: seconds, minutes where an export has to be made.

    `where`: the settings' place in line.yaml, with which messages begin.

    Raises:
        ConfigError: in one line, what is wrong with the model or this machine.
        FatalError: the model could not be exported.
    """
    wanted = _wanted(model, batch_size, where)
    match _runtime(wanted):
        case "torch":
            return _torch(wanted)
        case "openvino":
            return _openvino(wanted)
        case "onnx":
            return _onnx(wanted)
        case "tensorrt":
            return _tensorrt(wanted)


def _wanted(model: ModelSettings, batch_size: int, where: str) -> _Wanted:
    key = f"{where}.weights"
    if not model.weights:
        raise ConfigError(f"{key}: not set: name {MODELS}")
    path = Path(model.weights).expanduser()
    if not path.exists():
        raise ConfigError(f"{key}: {path}: no such file (relative paths start at {Path.cwd()})")
    if path.suffix == ".xml":
        path = path.parent
    digest = _folder_digest(path, key) if path.is_dir() else _file_digest(path, key)
    if model.digest not in (None, digest):
        raise ConfigError(f"{key}: {path}: sha256 is {digest}, {where}.digest says {model.digest}")
    return _Wanted(model, batch_size, where, path, digest, verified(path, digest, f"{key}: {path}"))


def _file_digest(path: Path, key: str) -> str:
    if path.suffix != ".pt" and path.suffix not in FILES:
        raise ConfigError(f"{key}: {path}: expected {MODELS}")
    try:
        return file_digest(path)
    except OSError as error:
        raise ConfigError(f"{key}: {path}: {error.strerror}") from None


def _folder_digest(path: Path, key: str) -> str:
    _need("openvino", key)
    from workers.runtimes.openvino import export_digest, read_export  # noqa: PLC0415 - a worker loads only its runtime

    return export_digest(read_export(path, key))


def _runtime(wanted: _Wanted) -> Runtime:
    asked = wanted.model.runtime
    exported = "openvino" if wanted.path.is_dir() else FILES.get(wanted.path.suffix)
    if exported is not None and asked not in ("auto", exported):
        raise ConfigError(f"{wanted.where}.runtime: {asked} can't serve {wanted.path}: it was exported for {exported}")
    if exported is not None:
        return exported
    if asked != "auto":
        return asked
    if _on_cuda(wanted.model.device):
        return "tensorrt" if _installed("tensorrt") else "torch"
    return next((runtime for runtime in ON_CPU if _installed(runtime)), "torch")


def _on_cuda(device: str) -> bool:
    if device != "auto":
        return device.startswith("cuda")
    if ctypes.util.find_library("cuda") is None:  # no driver: spare the seconds that importing torch takes
        return False
    from workers.runtimes.pytorch import cuda_available  # noqa: PLC0415 - a worker loads only its runtime

    return cuda_available()


def _torch(wanted: _Wanted) -> Detector:
    from workers.runtimes.pytorch import TorchNetwork, device_named  # noqa: PLC0415 - a worker loads only its runtime
    from workers.runtimes.ultralytics_model import open_weights  # noqa: PLC0415 - a worker loads only its runtime

    opened = open_weights(wanted.path, wanted.cache, wanted.named)
    device = device_named(wanted.model.device, wanted.where)
    network = TorchNetwork(opened, device, wanted.model.confidence)
    imgsz = wanted.model.imgsz or opened.imgsz
    precision = "fp16" if device.type == "cuda" else "fp32"
    info = ModelInfo(wanted.digest, "torch", str(device), imgsz, opened.classes, precision=precision, head=opened.head)
    return LetterboxDetector(network, info, wanted.batch_size, wanted.model.confidence)


def _openvino(wanted: _Wanted) -> Detector:
    _need("openvino", wanted.named)
    from workers.runtimes.openvino import OpenVinoNetwork, read_export  # noqa: PLC0415 - a worker loads only its runtime

    exported = read_export(_export(wanted, "openvino"), wanted.named)
    device = wanted.model.device
    device = "CPU" if device in ("auto", "cpu") else device.upper()
    network = OpenVinoNetwork(exported, device, wanted.model.confidence, wanted.named)
    canvas = exported.fixed[1:] if exported.fixed else None
    imgsz = max(canvas) if canvas else wanted.model.imgsz or exported.imgsz
    info = ModelInfo(
        wanted.digest,
        "openvino",
        network.device,
        imgsz,
        exported.classes,
        canvas,
        wanted.precision,
        exported.head,
        network.at_once,
    )
    return LetterboxDetector(network, info, wanted.batch_size, wanted.model.confidence)


def _onnx(wanted: _Wanted) -> Detector:
    _need("onnx", wanted.named)
    from workers.runtimes.onnx import OnnxNetwork, open_onnx  # noqa: PLC0415 - a worker loads only its runtime

    model = open_onnx(_export(wanted, "onnx"), wanted.model.device, wanted.batch_size, wanted.named)
    imgsz = max(model.canvas) if model.canvas else wanted.model.imgsz or model.imgsz
    info = ModelInfo(
        wanted.digest, "onnx", model.device, imgsz, model.classes, model.canvas, wanted.precision, model.head
    )
    network = OnnxNetwork(model, wanted.model.confidence)
    return LetterboxDetector(network, info, wanted.batch_size, wanted.model.confidence)


def _tensorrt(wanted: _Wanted) -> Detector:
    _need("tensorrt", wanted.named)
    from workers.runtimes.tensorrt import TensorRtNetwork, open_engine  # noqa: PLC0415 - a worker loads only its runtime

    engine = open_engine(lambda: _export(wanted, "tensorrt"), wanted.model.device, wanted.named)
    imgsz = max(engine.canvas) if engine.canvas else wanted.model.imgsz or engine.imgsz
    precision = wanted.precision if wanted.path.suffix == ".engine" else "fp16"
    info = ModelInfo(
        wanted.digest, "tensorrt", engine.device, imgsz, engine.classes, engine.canvas, precision, engine.head
    )
    network = TensorRtNetwork(engine, wanted.model.confidence)
    return LetterboxDetector(network, info, wanted.batch_size, wanted.model.confidence)


def _export(wanted: _Wanted, form: Exported) -> Path:
    """The model as it is, if it was exported; else the export of it that this machine keeps."""
    if wanted.path.suffix != ".pt":
        return wanted.path
    from workers.runtimes.cache import cached_export  # noqa: PLC0415 - a worker without it serves exports

    return cached_export(wanted.path, wanted.digest, wanted.cache, wanted.named, form)


def _installed(runtime: Exported) -> bool:
    return find_spec(NEEDS[runtime][0]) is not None


def _need(runtime: Exported, key: str) -> None:
    if not _installed(runtime):
        raise ConfigError(f"{key}: the {runtime} runtime is not installed: pip install {NEEDS[runtime][1]}")
