"""The manifest of weights that were trained here: their digest, their figures and their origin."""

from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rich.console import Group

from workers.model.tables import line_yaml, table_of
from workers.model.train import TrainedModel
from workers.model.val import ValOptions, ValReport, validate
from workers.runtimes.manifest import Manifest, Source, write_manifest


def describe(trained: TrainedModel, data: Path, cache: Path) -> Manifest:
    """Measure the weights on the dataset's `val` pictures with torch, and write their manifest."""
    trained.weights.with_name(trained.weights.name + ".manifest.json").unlink(missing_ok=True)  # an earlier run's
    done = validate(ValOptions(trained.weights, data, cache, runtime="torch"))
    manifest = manifest_of(trained.weights, done, training=trained.facts)
    write_manifest(manifest, trained.weights)
    return manifest


def manifest_of(
    weights: Path,
    done: ValReport,
    *,
    training: dict[str, Any] | None = None,
    pruning: dict[str, Any] | None = None,
    source: Source | None = None,
) -> Manifest:
    return Manifest(
        file=weights.name,
        digest=done.info.digest,
        runtime="torch",
        precision="fp32",
        task=done.info.head.task,
        classes=done.info.classes,
        imgsz=done.info.imgsz,
        source=source,
        metrics=done.measured.metrics,
        training=training,
        pruning=pruning,
        versions={name: version(name) for name in ("andon", "torch", "ultralytics")},
        made_at=datetime.now(UTC).replace(microsecond=0),
    )


def shown(weights: Path, manifest: Manifest) -> Group:
    """The figures, and the lines for line.yaml."""
    assert manifest.metrics is not None
    table = table_of(manifest.metrics, f"{weights}  {manifest.metrics.images} pictures, imgsz {manifest.imgsz}")
    return Group(table, line_yaml(weights, manifest))
