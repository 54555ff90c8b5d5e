"""From the settings of a pool's model to a detector: the file is checked, the runtime chosen, the model loaded."""

import ctypes.util
import hashlib
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

from andon.errors import ConfigError
from andon.settings import PoolSettings
from workers.detector import Detector, LetterboxDetector, ModelInfo

Runtime = Literal["torch", "openvino", "onnx"]
NEEDS: dict[Literal["openvino", "onnx"], tuple[str, str]] = {
    "openvino": ("openvino", "workers"),
    "onnx": ("onnxruntime", "onnx"),
}
"""The module and the extra that brings it; on a CPU the first that is there serves a .pt, else torch does."""
MODELS = "a YOLO .pt, an .onnx exported from one, or an exported OpenVINO folder"


@dataclass(frozen=True, slots=True)
class _Source:
    """A weights file or folder that is there and has the digest that it should have."""

    path: Path
    digest: str
    named: str
    """The key in line.yaml and the path, with which messages begin."""


def load(pool: PoolSettings, name: str) -> Detector:
    """The detector of the pool `name`, not warmed up. Blocks: seconds, minutes where an export has to be made.

    Raises:
        ConfigError: in one line, what is wrong with the pool's model or this machine.
        FatalError: the model could not be exported.
    """
    where = f"pools.{name}.model"
    source = _source(pool, where)
    runtime = _runtime(pool, source, where)
    match runtime:
        case "torch":
            return _torch(pool, source, where)
        case "openvino":
            return _openvino(pool, source)
        case "onnx":
            return _onnx(pool, source)


def _source(pool: PoolSettings, where: str) -> _Source:
    key = f"{where}.weights"
    if not pool.model.weights:
        raise ConfigError(f"{key}: not set: name {MODELS}")
    path = Path(pool.model.weights).expanduser()
    if not path.exists():
        raise ConfigError(f"{key}: {path}: no such file (relative paths start at {Path.cwd()})")
    digest = _folder_digest(path, key) if path.is_dir() else _file_digest(path, key)
    if pool.model.digest not in (None, digest):
        raise ConfigError(f"{key}: {path}: sha256 is {digest}, {where}.digest says {pool.model.digest}")
    return _Source(path, digest, f"{key}: {path}")


def _file_digest(path: Path, key: str) -> str:
    if path.suffix not in (".pt", ".onnx"):
        raise ConfigError(f"{key}: {path}: expected {MODELS}")
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ConfigError(f"{key}: {path}: {error.strerror}") from None


def _folder_digest(path: Path, key: str) -> str:
    _need("openvino", key)
    from workers.runtimes.openvino import export_digest, read_export  # noqa: PLC0415 - a worker loads only its runtime

    return export_digest(read_export(path, key))


def _runtime(pool: PoolSettings, source: _Source, where: str) -> Runtime:
    wanted = pool.model.runtime
    exported = _exported_for(source.path)
    if exported is not None and wanted not in ("auto", exported):
        raise ConfigError(f"{where}.runtime: {wanted} can't serve {source.path}: it was exported for {exported}")
    if exported is not None:
        return exported
    if wanted != "auto":
        return wanted
    if _on_cuda(pool.model.device):
        return "torch"
    return next((runtime for runtime in NEEDS if _installed(runtime)), "torch")


def _exported_for(path: Path) -> Literal["openvino", "onnx"] | None:
    if path.is_dir():
        return "openvino"
    return "onnx" if path.suffix == ".onnx" else None


def _on_cuda(device: str) -> bool:
    if device != "auto":
        return device.startswith("cuda")
    if ctypes.util.find_library("cuda") is None:  # no driver: spare the seconds that importing torch takes
        return False
    from workers.runtimes.pytorch import cuda_available  # noqa: PLC0415 - a worker loads only its runtime

    return cuda_available()


def _torch(pool: PoolSettings, source: _Source, where: str) -> Detector:
    from workers.runtimes.pytorch import TorchNetwork, device_named  # noqa: PLC0415 - a worker loads only its runtime
    from workers.runtimes.ultralytics_model import open_weights  # noqa: PLC0415 - a worker loads only its runtime

    opened = open_weights(source.path, _cache(pool), source.named)
    device = device_named(pool.model.device, where)
    network = TorchNetwork(opened, device, pool.model.confidence)
    imgsz = pool.model.imgsz or opened.imgsz
    info = ModelInfo(source.digest, "torch", str(device), imgsz, opened.classes, head=opened.head)
    return LetterboxDetector(network, info, pool.batch.size, pool.model.confidence)


def _openvino(pool: PoolSettings, source: _Source) -> Detector:
    _need("openvino", source.named)
    from workers.runtimes.cache import cached_export  # noqa: PLC0415 - a worker loads only its runtime
    from workers.runtimes.openvino import OpenVinoNetwork, read_export  # noqa: PLC0415 - a worker loads only its runtime

    folder = source.path
    if not folder.is_dir():
        folder = cached_export(source.path, source.digest, _cache(pool), source.named)
    exported = read_export(folder, source.named)
    network = OpenVinoNetwork(exported, _openvino_device(pool.model.device), pool.model.confidence, source.named)
    canvas = exported.fixed[1:] if exported.fixed else None
    imgsz = max(canvas) if canvas else pool.model.imgsz or exported.imgsz
    info = ModelInfo(
        source.digest,
        "openvino",
        network.device,
        imgsz,
        exported.classes,
        canvas,
        head=exported.head,
        at_once=network.at_once,
    )
    return LetterboxDetector(network, info, pool.batch.size, pool.model.confidence)


def _onnx(pool: PoolSettings, source: _Source) -> Detector:
    _need("onnx", source.named)
    from workers.runtimes.cache import cached_export  # noqa: PLC0415 - a worker loads only its runtime
    from workers.runtimes.onnx import OnnxNetwork, open_onnx  # noqa: PLC0415 - a worker loads only its runtime

    path = source.path
    if path.suffix == ".pt":
        path = cached_export(path, source.digest, _cache(pool), source.named, "onnx")
    model = open_onnx(path, pool.model.device, pool.batch.size, source.named)
    imgsz = max(model.canvas) if model.canvas else pool.model.imgsz or model.imgsz
    info = ModelInfo(
        source.digest, "onnx", model.device, imgsz, model.classes, model.canvas, head=model.head
    )
    return LetterboxDetector(OnnxNetwork(model, pool.model.confidence), info, pool.batch.size, pool.model.confidence)


def _installed(runtime: Literal["openvino", "onnx"]) -> bool:
    return find_spec(NEEDS[runtime][0]) is not None


def _need(runtime: Literal["openvino", "onnx"], key: str) -> None:
    if not _installed(runtime):
        raise ConfigError(f"{key}: the {runtime} runtime is not installed: pip install 'andon[{NEEDS[runtime][1]}]'")


def _openvino_device(device: str) -> str:
    return "CPU" if device in ("auto", "cpu") else device.upper()


def _cache(pool: PoolSettings) -> Path:
    return Path(pool.model.cache).expanduser()
