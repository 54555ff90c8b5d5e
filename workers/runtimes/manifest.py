"""The manifest: JSON beside an artifact that says what it is, what it was made from, and how well it was measured.

A worker compares the file that it loads with its manifest, so that weights that were swapped or cut off on their way
are refused before they are opened. This module needs neither torch nor ultralytics nor any runtime.
"""

import hashlib
import json
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from andon.errors import ConfigError

Runtime = Literal["torch", "openvino", "onnx", "tensorrt"]
Precision = Literal["fp32", "fp16", "int8"]
Digest = Field(pattern=r"^[0-9a-f]{64}$")
ENDING = ".manifest.json"


class ManifestPart(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ModelMetrics(ManifestPart):
    """Measured on `images` pictures that the model was not trained on, through the runtime that serves it."""

    images: int
    map50: float
    """Mean average precision over the classes at an IoU of 0.5, 0 to 1."""
    map50_95: float
    """The same, over IoUs from 0.5 to 0.95. Source: the COCO evaluation."""
    precision: float
    """At the confidence with the best F1; `recall` likewise."""
    recall: float
    map50_by_class: dict[str, float]
    """Only classes that occur in the pictures."""
    map50_95_by_class: dict[str, float]


class Source(ManifestPart):
    """The file that an export was made from."""

    file: str
    digest: str = Digest


class ExportAgreement(ManifestPart):
    """The comparison of the export with its source, before the export was released."""

    images: int
    matched: float
    """Of the confident detections of either, the part that the other has, too, 0 to 1."""
    map50_loss: float | None = None
    """The source's mAP50 minus the export's. None: there were no labelled pictures."""


class Manifest(ManifestPart):
    manifest: Literal[1] = 1
    """The format's version."""
    file: str
    digest: str = Digest
    """sha256 of the file, or of an OpenVINO folder's .xml followed by its .bin. Inspections carry it."""
    runtime: Runtime
    precision: Precision
    task: str
    classes: tuple[str, ...]
    imgsz: int
    source: Source | None = None
    calibration_images: int | None = None
    agreement: ExportAgreement | None = None
    metrics: ModelMetrics | None = None
    training: dict[str, Any] | None = None
    pruning: dict[str, Any] | None = None
    versions: dict[str, str]
    made_at: datetime


def manifest_path(artifact: Path) -> Path:
    """Inside an OpenVINO folder; beside every other artifact."""
    return artifact / ENDING[1:] if artifact.is_dir() else artifact.with_name(artifact.name + ENDING)


def read_manifest(artifact: Path, named: str) -> Manifest | None:
    """None: there is no manifest. Raises ConfigError if it can't be read; `named` begins the message."""
    path = manifest_path(artifact)
    try:
        return Manifest.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigError(f"{named}: {path}: {error.strerror}") from None
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigError(f"{named}: {path}: not a manifest: {where or 'JSON'}: {first['msg']}") from None


def verified(artifact: Path, digest: str, named: str) -> Manifest | None:
    """The artifact's manifest, if it has one. Raises ConfigError if the manifest belongs to another file."""
    manifest = read_manifest(artifact, named)
    if manifest is not None and manifest.digest != digest:
        raise ConfigError(
            f"{named}: sha256 is {digest}, {manifest_path(artifact).name} says {manifest.digest}: "
            "one of the two was changed; export it again or copy both again"
        )
    return manifest


def write_manifest(manifest: Manifest, artifact: Path) -> Path:
    path = manifest_path(artifact)
    document = json.loads(manifest.model_dump_json(exclude_none=True))
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return path


def file_digest(path: Path) -> str:
    """sha256 in hex. Raises OSError."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
