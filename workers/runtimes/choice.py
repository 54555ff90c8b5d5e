"""From the settings of a pool's model to a detector: checks the file, chooses the runtime, loads the model."""

import ctypes.util
from importlib.util import find_spec
from pathlib import Path

from andon.errors import ConfigError
from andon.settings import ModelSettings, PoolSettings
from workers.detector import Detector
from workers.runtimes.cache import Exporter
from workers.runtimes.installed import ExportRuntime, installed, need
from workers.runtimes.manifest import Runtime, file_digest, verified
from workers.runtimes.opening import ModelFile, opened
from workers.runtimes.setup import Setup, require_served
from workers.runtimes.trial import require_confidence, require_imgsz, try_out
from workers.runtimes.tuned import tuned_setup

ON_CPU: tuple[ExportRuntime, ...] = ("openvino", "onnx")
"""On a CPU the first of these that is installed serves a .pt; torch does if none is."""
FILES: dict[str, ExportRuntime] = {".onnx": "onnx", ".engine": "tensorrt"}
MODELS = "a YOLO .pt, an .onnx or .engine exported from one, or an exported OpenVINO folder"


def load(pool: PoolSettings, name: str, exporter: Exporter | None = None) -> Detector:
    """The detector of the pool `name`, not warmed up; see `open_model`.

    Raises ConfigError, besides, if the model itself drops detections that `model.confidence` asks for.
    """
    where = f"pools.{name}.model"
    detector = open_model(pool.model, pool.batch.size, where, exporter)
    require_confidence(pool.model.confidence, detector.info.built_in, where)
    return detector


def open_model(
    model: ModelSettings,
    batch_size: int,
    where: str,
    exporter: Exporter | None = None,
    setup: Setup | None = None,
) -> Detector:
    """A detector, not warmed up. Blocks for seconds, or for minutes if the model has to be exported.

    `where`: the settings' place in line.yaml. Messages begin with it. `exporter` makes the export: it can stop it.
    `setup` takes the place of what the settings and the measurement on this machine choose.

    Raises:
        ConfigError: one line about the model or this machine.
        FatalError: the model could not be exported.
    """
    file = _model_file(model, batch_size, where, exporter)
    detector = opened(file, setup or _setup(file))
    require_imgsz(model.imgsz, detector.info, where)
    try_out(detector, file.named)
    return detector


def checked_weights(model: ModelSettings, where: str) -> tuple[Path, str]:
    """The path of the weights and their sha256. Raises ConfigError as `open_model` does."""
    file = _model_file(model, 1, where, None)
    return file.path, file.digest


def require_servable(model: ModelSettings, where: str) -> None:
    """Raises ConfigError, as `open_model` does, for what can be said of the weights without loading them."""
    file = _model_file(model, 1, where, None)
    runtime = _runtime(file)
    _require_precision(file, runtime)
    if runtime != "torch":
        need(runtime, file.named)
    elif not all(find_spec(name) for name in ("torch", "ultralytics")):
        raise ConfigError(f"{file.named}: a .pt takes torch and ultralytics: pip install 'andon[workers]'")


def _model_file(model: ModelSettings, batch_size: int, where: str, exporter: Exporter | None) -> ModelFile:
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
    return ModelFile(model, batch_size, where, path, digest, verified(path, digest, f"{key}: {path}"), exporter)


def _file_digest(path: Path, key: str) -> str:
    if path.suffix != ".pt" and path.suffix not in FILES:
        raise ConfigError(f"{key}: {path}: expected {MODELS}")
    try:
        return file_digest(path)
    except OSError as error:
        raise ConfigError(f"{key}: {path}: {error.strerror}") from None


def _folder_digest(path: Path, key: str) -> str:
    need("openvino", key)
    from workers.runtimes.openvino import export_digest, read_export  # noqa: PLC0415 - a worker loads only its runtime

    return export_digest(read_export(path, key))


def _setup(file: ModelFile) -> Setup:
    wanted = file.model.precision
    tuned = tuned_setup(file.model, file.digest) if file.is_source and wanted in ("auto", "int8") else None
    if tuned is not None:
        return tuned
    if file.is_source and wanted == "int8":
        raise ConfigError(
            f"{file.where}.precision: int8: no INT8 form of {file.path} has been measured on this machine and found to "
            "agree with it: `andon model tune --show` says what was; --data names pictures to measure on"
        )
    return _require_precision(file, _runtime(file))


def _require_precision(file: ModelFile, runtime: Runtime) -> Setup:
    """The setup that the settings name. Raises ConfigError if the runtime or the artifact can't be served so."""
    wanted = file.model.precision
    setup = Setup(runtime, None if wanted == "auto" else wanted)
    require_served(setup, file.where)
    made_in = None if file.manifest is None else file.manifest.precision
    free = file.is_source or (runtime == "openvino" and "int8" not in (wanted, made_in))
    if wanted not in ("auto", made_in) and not free:
        raise ConfigError(f"{file.where}.precision: {wanted}: {file.path} was exported in {made_in or 'another one'}")
    return setup


def _runtime(file: ModelFile) -> Runtime:
    wanted = file.model.runtime
    exported = "openvino" if file.path.is_dir() else FILES.get(file.path.suffix)
    if exported is not None and wanted not in ("auto", exported):
        raise ConfigError(f"{file.where}.runtime: {wanted} can't serve {file.path}: it was exported for {exported}")
    if exported is not None:
        return exported
    if wanted != "auto":
        return wanted
    if on_cuda(file.model.device):
        return "tensorrt" if installed("tensorrt") else "torch"
    return next((runtime for runtime in ON_CPU if installed(runtime)), "torch")


def on_cuda(device: str) -> bool:
    """Whether `model.device` means an NVIDIA GPU on this machine."""
    if device != "auto":
        return device.startswith("cuda")
    if ctypes.util.find_library("cuda") is None:  # no driver: spare the seconds that importing torch takes
        return False
    from workers.runtimes.pytorch import cuda_available  # noqa: PLC0415 - a worker loads only its runtime

    return cuda_available()
