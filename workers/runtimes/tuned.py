"""The record of a tuning: what was measured on this machine for a model, the choice, and why. It lies in the cache.

Its name has everything that the choice depends on, so another processor, library or setting finds no record and is
measured anew. A shared cache or an image may carry records of many machines.
"""

import hashlib
import os
import platform
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from andon.process.machine import cores
from andon.settings import ModelSettings
from workers.runtimes.cache import gpus, processor
from workers.runtimes.manifest import Digest, ManifestPart, Runtime
from workers.runtimes.setup import Computed, Setup

LIBRARIES = ("nncf", "onnxruntime", "onnxruntime-gpu", "openvino", "tensorrt", "torch", "ultralytics")
"""Another version of one may be faster or slower."""
ENDING = "-tuning.json"


class Candidate(ManifestPart):
    """One way to serve the model, and what was measured of it."""

    runtime: Runtime
    precision: Computed
    streams: int | None = None
    frames: int | None = None
    first_floats: int = 0
    """Of INT8: the first modules that stay in floats."""
    cpu_ms: float | None = None
    """Of all threads, for one frame. None: not timed."""
    wall_ms: float | None = None
    agreement: float | None = None
    """Of the confident detections of either, the part that the other has, too, 0 to 1. None: not compared."""
    boxes: int = 0
    """Confident detections that were compared, of source and candidate together."""
    artifact: str | None = None
    """An export that was made for this candidate alone: its name in the cache."""
    left_out: str = ""
    """Why it was not measured."""

    @property
    def name(self) -> str:
        """`openvino int8, 2 streams of 4 frames`."""
        streams = "" if self.streams is None else f", {self.streams} stream{'s' if self.streams > 1 else ''}"
        frames = "" if self.frames is None else f" of {self.frames} frame{'s' if self.frames > 1 else ''}"
        floats = f" with the first {self.first_floats} modules in floats" if self.first_floats else ""
        return f"{self.runtime} {self.precision}{floats}{streams}{frames}"


class Tuning(ManifestPart):
    tuning: Literal[1] = 1
    """The format's version."""
    weights: str
    digest: str = Digest
    processor: str
    cores: int
    gpus: tuple[str, ...] = ()
    versions: dict[str, str]
    imgsz: int | None = None
    """As set. None: the size that the model was trained at."""
    confidence: float
    min_agreement: float
    frames_from: str
    """Whose frames they were: the topic, or a folder."""
    calibration_frames: int
    held_out_frames: int
    candidates: tuple[Candidate, ...] = ()
    choice: int | None = None
    """The index of the candidate that is served. None: none, so that the runtime chooses as if nothing was measured."""
    reason: str
    seconds: float
    made_at: datetime

    @property
    def chosen(self) -> Candidate | None:
        return None if self.choice is None else self.candidates[self.choice]


def record_path(model: ModelSettings, digest: str) -> Path:
    """Where the record for these settings on this machine lies."""
    return Path(model.cache).expanduser() / f"{digest[:16]}-{_key(model)}{ENDING}"


def read_record(path: Path) -> Tuning | None:
    """None: there is none, it is of another version or damaged, or the export that it chose is gone."""
    try:
        tuning = Tuning.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None
    chosen = tuning.chosen
    gone = chosen is not None and chosen.artifact is not None and not (path.parent / chosen.artifact).exists()
    return None if gone else tuning


def write_record(tuning: Tuning, path: Path) -> None:
    """Whole or not at all. Raises OSError."""
    draft = path.with_suffix(".draft")
    draft.write_text(tuning.model_dump_json(indent=2, exclude_none=True) + "\n", encoding="utf-8")
    os.replace(draft, path)


def tuned_setup(model: ModelSettings, digest: str) -> Setup | None:
    """What was measured to be the best on this machine. None: nothing was measured, or nothing agreed."""
    path = record_path(model, digest)
    tuning = read_record(path)
    chosen = tuning and tuning.chosen
    return None if not chosen else setup_of(chosen, path.parent)


def setup_of(candidate: Candidate, folder: Path) -> Setup:
    """`folder`: where its artifact lies."""
    artifact = None if candidate.artifact is None else folder / candidate.artifact
    return Setup(candidate.runtime, candidate.precision, candidate.streams, candidate.frames, artifact)


def versions() -> dict[str, str]:
    """Of the libraries that are installed."""
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _key(model: ModelSettings) -> str:
    options = (model.runtime, model.precision, model.device, model.imgsz, model.confidence, model.min_agreement)
    libraries = [f"{name}={number}" for name, number in versions().items()]
    parts = [platform.machine(), processor(), str(cores()), *gpus(), *libraries, *map(str, options)]
    return hashlib.sha256("|".join(parts).encode()).hexdigest()[:12]
