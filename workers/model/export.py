"""Makes an artifact from a .pt: exports it, compares it with its source, and describes it in a manifest."""

import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from andon.errors import ConfigError, FatalError
from andon.settings import ModelSettings
from workers.boxes import ious
from workers.detector import Detections, Detector, Picture
from workers.model.dataset import Dataset, picture, samples, write_dataset
from workers.model.measure import LEAST_CONFIDENCE, measure
from workers.model.tables import line_yaml
from workers.runtimes.cache import ENDINGS, LIBRARIES, Format
from workers.runtimes.choice import open_model
from workers.runtimes.export import Recipe, check, copied, make
from workers.runtimes.manifest import (
    ExportAgreement,
    Manifest,
    ModelMetrics,
    Precision,
    Source,
    file_digest,
    read_manifest,
    write_manifest,
)
from workers.runtimes.ultralytics_model import open_weights

CALIBRATION_IMAGES = 200
"""More bring nothing: nncf's documentation uses 300, and the scales settle earlier."""
CERTAIN = 0.4
SAME_IOU = 0.5
VISIBLE = 0.25
"""The least confidence with which the other must have a certain detection: a worker's default threshold."""


@dataclass(frozen=True, slots=True)
class ExportOrder:
    """One export, as the user orders it."""

    weights: Path
    to: Format
    precision: Precision
    out: Path
    """The folder of the artifact."""
    cache: Path
    data: Dataset | None = None
    """Its `train` pictures calibrate INT8, its `val` pictures measure the export."""
    most: int | None = 200
    """Largest number of pictures to measure on."""
    measured: bool = True
    """False: the caller measures the export and decides."""
    max_loss: float = 0.03
    """Largest loss of mAP50 of an INT8 export. With a larger loss it is refused."""

    @property
    def named(self) -> str:
        return f"model.weights: {self.weights}"

    @property
    def target(self) -> Path:
        """`line.pt` becomes `line-int8-openvino`, `line-fp16.onnx`, `line-fp16.engine`."""
        return self.out / f"{self.weights.stem}-{self.precision}{ENDINGS[self.to]}"


@dataclass(frozen=True, slots=True)
class Artifact:
    path: Path
    manifest: Manifest
    source: ModelMetrics | None
    """The source's figures on the same pictures, if there were any."""


def export(order: ExportOrder, say: Callable[[str], None] = lambda text: None) -> Artifact:
    """Make, check, measure, describe and put in place. Blocks for minutes.

    Raises:
        ConfigError: no .pt, no pictures to calibrate on, a runtime that is not installed, or a missing GPU.
        FatalError: the export differs from its source, or lost too much.
    """
    _possible(order)
    digest = file_digest(order.weights)
    try:
        order.out.mkdir(parents=True, exist_ok=True)
        order.cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=order.out, prefix="export-") as room:
            copy = copied(order.weights, digest, Path(room), order.named)
            say(f"exporting {order.weights.name} to {order.to} {order.precision}")
            artifact = make(copy, _recipe(order, Path(room)), order.cache, order.named)
            checked = _checked(order, copy, artifact, say)
            manifest = _manifest(order, artifact, digest, checked)
            write_manifest(manifest, _put(artifact, order.target))
    except OSError as error:
        raise ConfigError(f"{error.filename or order.out}: {error.strerror}: choose another --out") from None
    return Artifact(order.target, manifest, checked.source)


def _possible(order: ExportOrder) -> None:
    if order.weights.suffix != ".pt" or not order.weights.is_file():
        raise ConfigError(f"{order.named}: expected a YOLO .pt: exports are made from the weights themselves")
    module = {"onnx": "onnxruntime"}.get(order.to, order.to)
    if find_spec(module) is None:
        extra = "tensorrt" if order.to == "tensorrt" else "'andon[model]'"
        raise ConfigError(f"--to {order.to}: {module} is not installed: pip install {extra}")
    if order.precision == "int8" and order.data is None:
        raise ConfigError("--precision int8: name a dataset by --data: its scales are read off pictures")
    if order.precision == "int8" and order.to == "openvino" and find_spec("nncf") is None:
        raise ConfigError("--precision int8: nncf is not installed: pip install 'andon[model]'")
    if order.to == "tensorrt":
        from workers.runtimes.pytorch import cuda_available  # noqa: PLC0415 - only for TensorRT

        if not cuda_available():
            raise ConfigError("--to tensorrt: an engine is built on the GPU that serves it; this machine shows none")


def _recipe(order: ExportOrder, room: Path) -> Recipe:
    if order.precision != "int8" or order.data is None:
        return Recipe(order.to, order.precision)
    if order.to == "tensorrt":
        return Recipe(order.to, order.precision, data=write_dataset(order.data, room, val=_calibration(order.data)))
    split = _calibration(order.data)
    pictures = [picture(sample.path) for sample in samples(order.data, split, CALIBRATION_IMAGES)]
    return Recipe(order.to, order.precision, pictures)


def _calibration(data: Dataset) -> str:
    """The split whose pictures INT8's scales come from."""
    return "train" if data.splits.get("train") else "val"


@dataclass(frozen=True, slots=True)
class _Check:
    agreement: ExportAgreement | None = None
    metrics: ModelMetrics | None = None
    source: ModelMetrics | None = None


def _checked(order: ExportOrder, copy: Path, artifact: Path, say: Callable[[str], None]) -> _Check:
    """Raises FatalError if the export must not be released."""
    if order.precision != "int8":
        say("checking it against its source")
        check(open_weights(copy, order.cache, order.named), artifact, order.named, order.to)
    if order.data is None or not order.measured:
        return _Check()
    say("measuring it beside its source")
    source, served = (_open(path, order) for path in (copy, artifact))
    before = measure(source, order.data, "val", order.cache, order.most).metrics
    after = measure(served, order.data, "val", order.cache, order.most).metrics
    pictures = [picture(sample.path) for sample in samples(order.data, "val", min(order.most or 50, 50))]
    matched = agreeing(_detect_all(source, pictures), _detect_all(served, pictures))
    loss = round(before.map50 - after.map50, 4)
    if loss > order.max_loss:
        raise FatalError(
            f"{order.named}: the {order.to} export in {order.precision} has an mAP50 of {after.map50:.4f}, its source "
            f"{before.map50:.4f}: it lost more than {order.max_loss:g} (--max-loss) and is refused"
        )
    return _Check(ExportAgreement(images=len(pictures), matched=round(matched, 4), map50_loss=loss), after, before)


def _open(path: Path, order: ExportOrder) -> Detector:
    runtime = "torch" if path.suffix == ".pt" else "auto"
    model = ModelSettings(
        weights=str(path), runtime=runtime, device="auto", confidence=LEAST_CONFIDENCE, cache=str(order.cache)
    )
    return open_model(model, 8, "model")


def _detect_all(detector: Detector, pictures: Sequence[Picture]) -> list[Detections]:
    return [found for start in range(0, len(pictures), 8) for found in detector.detect(pictures[start : start + 8])]


def agreeing(ours: Sequence[Detections], theirs: Sequence[Detections]) -> float:
    """Of the certain detections of either, the part that the other has, too, 0 to 1. 1: there are none."""
    certain = matches = 0
    for one, other in [*zip(ours, theirs, strict=True), *zip(theirs, ours, strict=True)]:
        sure = one.confidences >= CERTAIN
        overlaps = ious(one.boxes[sure].astype(np.float64), other.boxes.astype(np.float64))
        same = (one.classes[sure][:, None] == other.classes[None]) & (other.confidences >= VISIBLE)[None]
        certain += int(sure.sum())
        matches += int(((overlaps >= SAME_IOU) & same).any(axis=1).sum())
    return matches / certain if certain else 1.0


def _manifest(order: ExportOrder, artifact: Path, digest: str, checked: _Check) -> Manifest:
    opened = _open(artifact, order).info
    source = read_manifest(order.weights, order.named)
    return Manifest(
        file=order.target.name,
        digest=opened.digest,
        runtime=order.to,
        precision=order.precision,
        task=opened.head.task,
        classes=opened.classes,
        imgsz=opened.imgsz,
        source=Source(file=order.weights.name, digest=digest),
        calibration_images=_calibrated(order),
        agreement=checked.agreement,
        metrics=checked.metrics,
        training=source.training if source else None,
        pruning=source.pruning if source else None,
        versions={name: version(name) for name in _libraries(order)},
        made_at=datetime.now(UTC).replace(microsecond=0),
    )


def _calibrated(order: ExportOrder) -> int | None:
    if order.precision != "int8" or order.data is None:
        return None
    pictures = len(order.data.splits.get("train") or order.data.splits["val"])
    return pictures if order.to == "tensorrt" else min(CALIBRATION_IMAGES, pictures)


def _libraries(order: ExportOrder) -> tuple[str, ...]:
    quantized = order.precision == "int8" and order.to == "openvino"
    return ("andon", *LIBRARIES[order.to], *(("nncf",) if quantized else ()))


def _put(artifact: Path, target: Path) -> Path:
    """Replaces the artifact of an earlier run."""
    if target.is_dir():
        shutil.rmtree(target)
    return artifact.replace(target)


def shown(artifact: Artifact) -> str:
    """The artifact, and the lines for line.yaml."""
    manifest = artifact.manifest
    lines = [f"{artifact.path}", f"sha256 {manifest.digest}"]
    if manifest.metrics is not None and artifact.source is not None and manifest.agreement is not None:
        lines.append(
            f"mAP50 {manifest.metrics.map50:.4f} (source {artifact.source.map50:.4f}), mAP50-95 "
            f"{manifest.metrics.map50_95:.4f} ({artifact.source.map50_95:.4f}), {manifest.agreement.matched:.1%} of "
            f"the certain detections of either are in both"
        )
    return "\n".join([*lines, line_yaml(artifact.path, manifest)])
