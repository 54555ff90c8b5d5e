"""From the settings of a pool's model to a detector: checks the file, chooses the runtime, loads the model."""

import ctypes.util
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from andon.errors import ConfigError
from andon.settings import ModelSettings, PoolSettings
from workers.detector import Detector, LetterboxDetector, ModelInfo
from workers.letterbox import on_grid
from workers.runtimes.cache import Exporter, cached_export
from workers.runtimes.manifest import Manifest, Runtime, file_digest, verified
from workers.runtimes.trial import require_confidence, require_imgsz, try_out

ExportRuntime = Literal["openvino", "onnx", "tensorrt"]
"""The runtimes that serve an export."""
NEEDS: dict[ExportRuntime, tuple[str, str]] = {
    "openvino": ("openvino", "'andon[workers]'"),
    "onnx": ("onnxruntime", "'andon[onnx]'"),
    "tensorrt": ("tensorrt", "tensorrt 'andon[workers,onnx]'"),
}
"""Each runtime's module, and the name by which pip installs it."""
ON_CPU: tuple[ExportRuntime, ...] = ("openvino", "onnx")
"""On a CPU the first of these that is installed serves a .pt; torch does if none is."""
FILES: dict[str, ExportRuntime] = {".onnx": "onnx", ".engine": "tensorrt"}
MODELS = "a YOLO .pt, an .onnx or .engine exported from one, or an exported OpenVINO folder"


@dataclass(frozen=True, slots=True)
class _ModelFile:
    """A weights file or folder with the right digest, and how to serve it."""

    model: ModelSettings
    batch_size: int
    where: str
    """The section in line.yaml. Messages begin with it."""
    path: Path
    digest: str
    manifest: Manifest | None
    exporter: Exporter | None

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


def load(pool: PoolSettings, name: str, exporter: Exporter | None = None) -> Detector:
    """The detector of the pool `name`, not warmed up; see `open_model`.

    Raises ConfigError, besides, if the model itself drops detections that `model.confidence` asks for.
    """
    where = f"pools.{name}.model"
    detector = open_model(pool.model, pool.batch.size, where, exporter)
    require_confidence(pool.model.confidence, detector.info.built_in, where)
    return detector


def open_model(model: ModelSettings, batch_size: int, where: str, exporter: Exporter | None = None) -> Detector:
    """A detector, not warmed up. Blocks for seconds, or for minutes if the model has to be exported.

    `where`: the settings' place in line.yaml. Messages begin with it. `exporter` makes the export: it can stop it.

    Raises:
        ConfigError: one line about the model or this machine.
        FatalError: the model could not be exported.
    """
    file = _model_file(model, batch_size, where, exporter)
    detector = _opened(file)
    require_imgsz(model.imgsz, detector.info, where)
    try_out(detector, file.named)
    return detector


def _opened(file: _ModelFile) -> Detector:
    match _runtime(file):
        case "torch":
            return _torch(file)
        case "openvino":
            return _openvino(file)
        case "onnx":
            return _onnx(file)
        case "tensorrt":
            return _tensorrt(file)


def require_servable(model: ModelSettings, where: str) -> None:
    """Raises ConfigError, as `open_model` does, for what can be said of the weights without loading them."""
    file = _model_file(model, 1, where, None)
    runtime = _runtime(file)
    if runtime != "torch":
        _need(runtime, file.named)
    elif not all(find_spec(name) for name in ("torch", "ultralytics")):
        raise ConfigError(f"{file.named}: a .pt takes torch and ultralytics: pip install 'andon[workers]'")


def _model_file(model: ModelSettings, batch_size: int, where: str, exporter: Exporter | None) -> _ModelFile:
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
    return _ModelFile(model, batch_size, where, path, digest, verified(path, digest, f"{key}: {path}"), exporter)


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


def _runtime(file: _ModelFile) -> Runtime:
    wanted = file.model.runtime
    exported = "openvino" if file.path.is_dir() else FILES.get(file.path.suffix)
    if exported is not None and wanted not in ("auto", exported):
        raise ConfigError(f"{file.where}.runtime: {wanted} can't serve {file.path}: it was exported for {exported}")
    if exported is not None:
        return exported
    if wanted != "auto":
        return wanted
    if _on_cuda(file.model.device):
        return "tensorrt" if _installed("tensorrt") else "torch"
    return next((runtime for runtime in ON_CPU if _installed(runtime)), "torch")


def _on_cuda(device: str) -> bool:
    if device != "auto":
        return device.startswith("cuda")
    if ctypes.util.find_library("cuda") is None:  # no driver: spare the seconds that importing torch takes
        return False
    from workers.runtimes.pytorch import cuda_available  # noqa: PLC0415 - a worker loads only its runtime

    return cuda_available()


def _torch(file: _ModelFile) -> Detector:
    from workers.runtimes.pytorch import TorchNetwork, device_named  # noqa: PLC0415 - a worker loads only its runtime
    from workers.runtimes.ultralytics_model import open_weights  # noqa: PLC0415 - a worker loads only its runtime

    opened = open_weights(file.path, file.cache, file.named)
    device = device_named(file.model.device, file.where)
    network = TorchNetwork(opened, device, file.model.confidence)
    imgsz = on_grid(file.model.imgsz or opened.imgsz, opened.head.stride)
    precision = "fp16" if device.type == "cuda" else "fp32"
    info = ModelInfo(file.digest, "torch", str(device), imgsz, opened.classes, precision=precision, head=opened.head)
    return LetterboxDetector(network, info, file.batch_size, file.model.confidence)


def _openvino(file: _ModelFile) -> Detector:
    _need("openvino", file.named)
    from workers.runtimes.openvino import OpenVinoNetwork, read_export  # noqa: PLC0415 - a worker loads only its runtime

    exported = read_export(_export(file, "openvino"), file.named)
    device = file.model.device
    device = "CPU" if device in ("auto", "cpu") else device.upper()
    network = OpenVinoNetwork(exported, device, file.model.confidence, file.named, file.model.compiled_bytes)
    canvas = network.canvas
    imgsz = max(canvas) if canvas else on_grid(file.model.imgsz or exported.imgsz, exported.head.stride)
    info = ModelInfo(
        file.digest,
        "openvino",
        network.device,
        imgsz,
        exported.classes,
        canvas,
        file.precision,
        exported.head,
        network.at_once,
        network.built_in,
    )
    return LetterboxDetector(network, info, file.batch_size, file.model.confidence)


def _onnx(file: _ModelFile) -> Detector:
    _need("onnx", file.named)
    from workers.runtimes.onnx import OnnxNetwork, open_onnx  # noqa: PLC0415 - a worker loads only its runtime

    model = open_onnx(_export(file, "onnx"), file.model.device, file.batch_size, file.named)
    imgsz = max(model.canvas) if model.canvas else on_grid(file.model.imgsz or model.imgsz, model.head.stride)
    info = ModelInfo(
        file.digest,
        "onnx",
        model.device,
        imgsz,
        model.classes,
        model.canvas,
        file.precision,
        model.head,
        built_in=model.built_in,
    )
    network = OnnxNetwork(model, file.model.confidence)
    return LetterboxDetector(network, info, file.batch_size, file.model.confidence)


def _tensorrt(file: _ModelFile) -> Detector:
    _need("tensorrt", file.named)
    from workers.runtimes.tensorrt import TensorRtNetwork, open_engine  # noqa: PLC0415 - a worker loads only its runtime

    engine = open_engine(lambda: _export(file, "tensorrt"), file.model.device, file.named)
    imgsz = max(engine.canvas) if engine.canvas else on_grid(file.model.imgsz or engine.imgsz, engine.head.stride)
    precision = file.precision if file.path.suffix == ".engine" else "fp16"
    info = ModelInfo(
        file.digest,
        "tensorrt",
        engine.device,
        imgsz,
        engine.classes,
        engine.canvas,
        precision,
        engine.head,
        built_in=engine.built_in,
    )
    network = TensorRtNetwork(engine, file.model.confidence)
    return LetterboxDetector(network, info, file.batch_size, file.model.confidence)


def _export(file: _ModelFile, form: ExportRuntime) -> Path:
    """The model itself if it is an export. Otherwise this machine's export of it."""
    if file.path.suffix != ".pt":
        return file.path
    return cached_export(file.path, file.digest, file.cache, file.named, form, file.exporter)


def _installed(runtime: ExportRuntime) -> bool:
    return find_spec(NEEDS[runtime][0]) is not None


def _need(runtime: ExportRuntime, key: str) -> None:
    if not _installed(runtime):
        raise ConfigError(f"{key}: the {runtime} runtime is not installed: pip install {NEEDS[runtime][1]}")
