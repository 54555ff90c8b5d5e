"""`andon model val`: opens a model as a worker does and measures it."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rich.console import Group

from andon.settings import ModelSettings
from workers.detector import Detector, ModelInfo
from workers.model.dataset import Dataset, read_dataset, samples
from workers.model.export import ExportOrder, export
from workers.model.measure import BATCH, LEAST_CONFIDENCE, ModelMeasurement, measure
from workers.model.tables import progress, table_of
from workers.runtimes.cache import Format
from workers.runtimes.choice import ON_CPU, open_model
from workers.runtimes.manifest import Precision, Runtime


@dataclass(frozen=True, slots=True)
class ValOptions:
    weights: Path
    data: Path
    cache: Path
    split: str = "val"
    runtime: Runtime | Literal["auto"] = "auto"
    precision: Precision | None = None
    """None: the artifact itself."""
    device: str = "auto"
    imgsz: int | None = None
    frames: int | None = None


@dataclass(frozen=True, slots=True)
class ValReport:
    info: ModelInfo
    measured: ModelMeasurement


def validate(options: ValOptions) -> ValReport:
    """Raises ConfigError or FatalError, one line each: unusable model or pictures, or a refused export."""
    dataset = read_dataset(options.data)
    if options.precision is None:
        return _report(options, options.weights, dataset)
    options.cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=options.cache, prefix="val-") as room:
        form: Format = ON_CPU[0] if options.runtime == "auto" or options.runtime == "torch" else options.runtime  # noqa: PLR1714 - mypy narrows this one
        order = ExportOrder(
            options.weights, form, options.precision, Path(room), options.cache, dataset, measured=False
        )
        return _report(options, export(order).path, dataset)


def _report(options: ValOptions, weights: Path, dataset: Dataset) -> ValReport:
    detector = open_at_least_confidence(weights, options)
    total = len(samples(dataset, options.split, options.frames))
    with progress("measuring", total) as advance:
        measured = measure(detector, dataset, options.split, options.cache, options.frames, advance)
    return ValReport(detector.info, measured)


def open_at_least_confidence(weights: Path, options: ValOptions) -> Detector:
    """The detector of a worker, with the confidence threshold LEAST_CONFIDENCE."""
    model = ModelSettings(
        weights=str(weights),
        runtime=options.runtime,
        device=options.device,
        imgsz=options.imgsz,
        confidence=LEAST_CONFIDENCE,
        cache=str(options.cache),
    )
    return open_model(model, BATCH, "model")


def as_json(report: ValReport, options: ValOptions) -> dict[str, Any]:
    info = report.info
    return {
        "weights": str(options.weights),
        "digest": info.digest,
        "runtime": info.runtime,
        "precision": info.precision,
        "device": info.device,
        "imgsz": info.imgsz,
        **report.measured.metrics.model_dump(),
        "ms_per_frame": round(report.measured.ms_per_frame, 2),
    }


def shown(report: ValReport, options: ValOptions) -> Group:
    """Tables for a terminal."""
    info, metrics = report.info, report.measured.metrics
    served = " ".join(part for part in (info.runtime, info.precision, info.device) if part)
    title = f"{options.weights}  {metrics.images} pictures, {served}, imgsz {info.imgsz}"
    rest = (
        f"precision {metrics.precision:.4f}, recall {metrics.recall:.4f}, "
        f"{report.measured.ms_per_frame:.1f} ms a frame\nsha256 {info.digest}"
    )
    return Group(table_of(metrics, title), rest)
