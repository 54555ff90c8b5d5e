"""Opens a model's file in one runtime, with everything settled: the file is checked and the setup is chosen."""

from dataclasses import dataclass
from pathlib import Path

from andon.errors import ConfigError
from andon.settings import ModelSettings
from workers.detector import Detector, LetterboxDetector, ModelInfo
from workers.letterbox import on_grid
from workers.runtimes.cache import Exporter, ExportKind, cached_export
from workers.runtimes.installed import ExportRuntime, need
from workers.runtimes.manifest import Manifest
from workers.runtimes.setup import Setup


@dataclass(frozen=True, slots=True)
class ModelFile:
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
    def is_source(self) -> bool:
        """It is a .pt: the weights that exports are made from."""
        return self.path.suffix == ".pt"

    def precision(self, setup: Setup) -> str:
        if setup.precision is not None or self.is_source:
            return setup.precision or "fp32"
        return "" if self.manifest is None else self.manifest.precision


def opened(file: ModelFile, setup: Setup) -> Detector:
    """Not warmed up. Raises ConfigError or FatalError, as `open_model` does."""
    match setup.runtime:
        case "torch":
            return _torch(file, setup)
        case "openvino":
            return _openvino(file, setup)
        case "onnx":
            return _onnx(file, setup)
        case "tensorrt":
            return _tensorrt(file, setup)


def _torch(file: ModelFile, setup: Setup) -> Detector:
    from workers.runtimes.pytorch import TorchNetwork, card_of, device_named  # noqa: PLC0415 - a worker loads only its runtime
    from workers.runtimes.ultralytics_model import open_weights  # noqa: PLC0415 - a worker loads only its runtime

    opened = open_weights(file.path, file.cache, file.named)
    device = device_named(file.model.device, file.where)
    if setup.precision == "fp16" and device.type != "cuda":
        raise ConfigError(f"{file.where}.precision: fp16: torch computes it on a GPU only; leave auto on {device}")
    network = TorchNetwork(opened, device, file.model.confidence, setup.precision)
    imgsz = on_grid(file.model.imgsz or opened.imgsz, opened.head.stride)
    precision = setup.precision or ("fp16" if device.type == "cuda" else "fp32")
    info = ModelInfo(
        file.digest,
        "torch",
        str(device),
        imgsz,
        opened.classes,
        precision=precision,
        head=opened.head,
        card=card_of(device),
    )
    return LetterboxDetector(network, info, file.batch_size, file.model.confidence, network)


def _openvino(file: ModelFile, setup: Setup) -> Detector:
    need("openvino", file.named)
    from workers.runtimes.openvino import OpenVinoNetwork, read_export  # noqa: PLC0415 - a worker loads only its runtime
    from workers.runtimes.openvino_options import CompileOptions  # noqa: PLC0415 - as above

    exported = read_export(_export(file, "openvino", setup), file.named)
    device = file.model.device
    device = "CPU" if device in ("auto", "cpu") else device.upper()
    options = CompileOptions(file.model.compiled_bytes, setup.precision, setup.streams, setup.frames)
    network = OpenVinoNetwork(exported, device, file.model.confidence, file.named, options)
    canvas = network.canvas
    imgsz = max(canvas) if canvas else on_grid(file.model.imgsz or exported.imgsz, exported.head.stride)
    info = ModelInfo(
        file.digest,
        "openvino",
        network.device,
        imgsz,
        exported.classes,
        canvas,
        file.precision(setup),
        exported.head,
        network.at_once,
        network.built_in,
    )
    return LetterboxDetector(network, info, file.batch_size, file.model.confidence)


def _onnx(file: ModelFile, setup: Setup) -> Detector:
    need("onnx", file.named)
    from workers.runtimes.onnx import OnnxNetwork, open_onnx  # noqa: PLC0415 - a worker loads only its runtime

    path = _export(file, "onnx", setup)
    model = open_onnx(path, file.model.device, file.batch_size, file.named, setup.streams)
    imgsz = max(model.canvas) if model.canvas else on_grid(file.model.imgsz or model.imgsz, model.head.stride)
    info = ModelInfo(
        file.digest,
        "onnx",
        model.device,
        imgsz,
        model.classes,
        model.canvas,
        file.precision(setup),
        model.head,
        built_in=model.built_in,
    )
    network = OnnxNetwork(model, file.model.confidence)
    return LetterboxDetector(network, info, file.batch_size, file.model.confidence)


def _tensorrt(file: ModelFile, setup: Setup) -> Detector:
    need("tensorrt", file.named)
    from workers.runtimes.pytorch import card_of  # noqa: PLC0415 - a worker loads only its runtime
    from workers.runtimes.tensorrt import TensorRtNetwork, open_engine  # noqa: PLC0415 - a worker loads only its runtime

    engine = open_engine(lambda: _export(file, "tensorrt", setup), file.model.device, file.named)
    imgsz = max(engine.canvas) if engine.canvas else on_grid(file.model.imgsz or engine.imgsz, engine.head.stride)
    precision = file.precision(setup) if not file.is_source else setup.precision or "fp16"
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
        card=card_of(engine.place),
    )
    network = TensorRtNetwork(engine, file.model.confidence)
    return LetterboxDetector(network, info, file.batch_size, file.model.confidence, network)


def _export(file: ModelFile, form: ExportRuntime, setup: Setup) -> Path:
    """The model itself if it is an export. Otherwise the setup's, or this machine's export of it."""
    if not file.is_source:
        return file.path
    if setup.artifact is not None:
        return setup.artifact
    kind = ExportKind(form, setup.exported_in)
    return cached_export(file.path, file.digest, file.cache, file.named, kind, file.exporter)
