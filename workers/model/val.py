"""`andon model val`: opens a model as a worker would and measures it."""

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from rich.console import Group

from andon.settings import ModelSettings
from workers.detector import Detector, ModelInfo
from workers.model.dataset import Dataset, labelled, read_dataset
from workers.model.export import Order, export
from workers.model.figures import progress, table_of
from workers.model.measure import BATCH, LEAST_CONFIDENCE, Measured, measure
from workers.runtimes.cache import Format
from workers.runtimes.choice import ON_CPU, open_model
from workers.runtimes.manifest import Precision, Runtime


@dataclass(frozen=True, slots=True)
class Asked:
    weights: Path
    data: Path
    cache: Path
    split: str = "val"
    runtime: Runtime | Literal["auto"] = "auto"
    precision: Precision | None = None
    """None: the artifact as it is."""
    device: str = "auto"
    imgsz: int | None = None
    frames: int | None = None


@dataclass(frozen=True, slots=True)
class Validated:
    info: ModelInfo
    measured: Measured


def validate(asked: Asked) -> Validated:
    """Raises ConfigError or FatalError, one line each: no such model or pictures, an export that was refused."""
    dataset = read_dataset(asked.data)
    if asked.precision is None:
        return _validated(asked, asked.weights, dataset)
    asked.cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=asked.cache, prefix="val-") as room:
        form: Format = ON_CPU[0] if asked.runtime == "auto" or asked.runtime == "torch" else asked.runtime  # noqa: PLR1714 - mypy narrows this one
        order = Order(asked.weights, form, asked.precision, Path(room), asked.cache, dataset, measured=False)
        return _validated(asked, export(order).artifact, dataset)


def _validated(asked: Asked, weights: Path, dataset: Dataset) -> Validated:
    detector = opened(weights, asked)
    total = len(labelled(dataset, asked.split, asked.frames))
    with progress("measuring", total) as told:
        measured = measure(detector, dataset, asked.split, asked.cache, asked.frames, told)
    return Validated(detector.info, measured)


def opened(weights: Path, asked: Asked) -> Detector:
    """At LEAST_CONFIDENCE."""
    model = ModelSettings(
        weights=str(weights),
        runtime=asked.runtime,
        device=asked.device,
        imgsz=asked.imgsz,
        confidence=LEAST_CONFIDENCE,
        cache=str(asked.cache),
    )
    return open_model(model, BATCH, "model")


def as_json(done: Validated, asked: Asked) -> dict[str, Any]:
    info = done.info
    return {
        "weights": str(asked.weights),
        "digest": info.digest,
        "runtime": info.runtime,
        "precision": info.precision,
        "device": info.device,
        "imgsz": info.imgsz,
        **done.measured.metrics.model_dump(),
        "ms_per_frame": round(done.measured.ms_per_frame, 2),
    }


def shown(done: Validated, asked: Asked) -> Group:
    """Tables for a terminal."""
    info, metrics = done.info, done.measured.metrics
    served = " ".join(part for part in (info.runtime, info.precision, info.device) if part)
    title = f"{asked.weights}  {metrics.images} pictures, {served}, imgsz {info.imgsz}"
    rest = (
        f"precision {metrics.precision:.4f}, recall {metrics.recall:.4f}, "
        f"{done.measured.ms_per_frame:.1f} ms a frame\nsha256 {info.digest}"
    )
    return Group(table_of(metrics, title), rest)
