"""Exports a .pt and checks the export against its source.

`cached_export` runs this module as a separate process: the worker that serves the export then carries neither torch
nor ultralytics, which saves memory, and the code in a .pt runs only here.
"""

import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np

from andon.errors import ConfigError, FatalError
from workers.boxes import ious
from workers.detector import Detections, LetterboxDetector, ModelInfo, Network, Picture
from workers.runtimes.agreement import shape_disagreement
from workers.runtimes.cache import Format
from workers.runtimes.manifest import Precision, file_digest
from workers.runtimes.pytorch import TorchNetwork, device_named
from workers.runtimes.ultralytics_model import YoloModel, open_weights

SAMPLE_CONFIDENCE = 1e-6
"""So low that even an untrained model has detections to compare."""
CERTAIN = 0.3
"""Detections with this confidence must be in both, in the same place."""
MAX_SCORE_GAP = 0.1
"""bf16 keeps 8 bits of a number: the exports that were measured differed by less than a hundredth."""
MIN_IOU = 0.8
ENGINE_BATCH = 8
"""Largest batch of a TensorRT engine."""
OPTIONS: dict[Format, dict[str, Any]] = {
    "openvino": {"format": "openvino", "dynamic": True},
    "onnx": {"format": "onnx", "dynamic": True, "simplify": False},
    "tensorrt": {"format": "engine", "dynamic": True, "simplify": False, "batch": ENGINE_BATCH, "device": "0"},
}
"""Any batch and shape. ONNX Runtime simplifies an ONNX file when it loads it, so the export need not."""
BITS: dict[Precision, int | None] = {"fp32": None, "fp16": 16, "int8": 8}


@dataclass(frozen=True, slots=True)
class Job:
    """One export. Paths are text, because they come from a command line."""

    weights: str
    digest: str
    """sha256 that the weights must have, so that the file that was checked is the file that is loaded."""
    target: str
    cache: str
    """A folder for ultralytics' own settings."""
    room: str
    """An empty folder on the same file system, for everything on the way."""
    named: str
    """Begins each message: the user's key and file."""
    form: Format
    precision: Precision | None = None
    """None: fp16 for TensorRT, else fp32."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a .pt is exported."""

    form: Format
    precision: Precision = "fp32"
    calibration: Sequence[Picture] = ()
    """For INT8: pictures like those of the line."""
    data: Path | None = None
    """For INT8 of TensorRT, which ultralytics itself calibrates: the dataset's YAML."""


def export(job: Job) -> None:
    """Write `job.target`, checked. Raises ConfigError (no model) or FatalError (export differs)."""
    cache, named = Path(job.cache), job.named
    copy = copied(Path(job.weights), job.digest, Path(job.room), named)
    precision = job.precision or ("fp16" if job.form == "tensorrt" else "fp32")
    artifact = make(copy, Recipe(job.form, precision), cache, named)
    check(open_weights(copy, cache, named), artifact, named, job.form)
    artifact.rename(job.target)


def copied(weights: Path, digest: str, room: Path, named: str) -> Path:
    """A copy: ultralytics exports beside its source, which may be read-only. Raises ConfigError on another digest."""
    copy = room / "model.pt"
    shutil.copyfile(weights, copy)
    if file_digest(copy) != digest:
        raise ConfigError(f"{named}: the file changed while it was read")
    return copy


def make(copy: Path, recipe: Recipe, cache: Path, named: str) -> Path:
    """The export, beside `copy`, not yet checked. Blocks for seconds to minutes. Raises ConfigError: no model."""
    if recipe.form == "openvino":
        from workers.runtimes.openvino import import_openvino  # noqa: PLC0415 - only the target runtime is needed

        import_openvino()  # before ultralytics does
    opened = open_weights(copy, cache, named)
    imgsz = opened.imgsz
    options = OPTIONS[recipe.form] | {"nms": _nms_argument(opened), "imgsz": imgsz}
    quantized = recipe.precision == "int8" and recipe.form != "tensorrt"
    options["quantize"] = None if quantized else BITS[recipe.precision]
    if recipe.data is not None:
        options["data"] = str(recipe.data)
    artifact = Path(opened.yolo.export(**options))
    if quantized:
        from workers.runtimes.quantize import Calibration, quantize_onnx, quantize_openvino  # noqa: PLC0415 - as above

        calibration = Calibration(recipe.calibration, imgsz, opened.head)
        if recipe.form == "onnx":
            quantize_onnx(artifact, calibration)
        else:
            quantize_openvino(artifact, calibration, named)
    return artifact


def check(opened: YoloModel, artifact: Path, named: str, form: Format = "openvino") -> None:
    """Raises FatalError unless the export `artifact` gives the detections of its source `opened`."""
    info = ModelInfo("", "", "cpu", opened.imgsz, opened.classes, head=opened.head)
    source = TorchNetwork(opened, device_named("cpu", named), SAMPLE_CONFIDENCE)
    pictures = sample_pictures()
    served = _served(artifact, form, len(pictures), named)
    pairs = zip(
        LetterboxDetector(source, info, len(pictures), SAMPLE_CONFIDENCE).detect(pictures),
        LetterboxDetector(served, info, len(pictures), SAMPLE_CONFIDENCE).detect(pictures),
        strict=True,
    )
    for ours, theirs in pairs:
        complaint = disagreement(ours, theirs)
        if complaint:
            raise FatalError(f"{named}: the {form} export differs from its source ({complaint}): use runtime: torch")


def _served(artifact: Path, form: Format, batch_size: int, named: str) -> Network:
    if form == "onnx":
        from workers.runtimes.onnx import OnnxNetwork, open_onnx  # noqa: PLC0415 - only the target runtime is needed

        return OnnxNetwork(open_onnx(artifact, "cpu", batch_size, named), SAMPLE_CONFIDENCE)
    from workers.runtimes.openvino import OpenVinoNetwork, read_export  # noqa: PLC0415 - as above

    return OpenVinoNetwork(read_export(artifact, named), "CPU", SAMPLE_CONFIDENCE, named)


def disagreement(source: Detections, served: Detections) -> str:
    """How `served` differs from `source`, in a few words. Empty: they agree within bf16's precision."""
    count = min(len(source.confidences), len(served.confidences), 20)
    gaps = np.abs(source.confidences[:count] - served.confidences[:count])
    if count and gaps.max() > MAX_SCORE_GAP:
        return f"confidences by {gaps.max():.2f}"
    for one, other in ((source, served), (served, source)):
        for index in np.flatnonzero(one.confidences > CERTAIN + MAX_SCORE_GAP):
            described = f"of class {one.classes[index]} at {one.confidences[index]:.2f}"
            same = np.flatnonzero(other.classes == one.classes[index])
            (overlaps,) = ious(one.boxes[index : index + 1].astype(np.float64), other.boxes[same].astype(np.float64))
            if not len(overlaps) or overlaps.max() < MIN_IOU:
                return f"a box {described} is only in one"
            shape = shape_disagreement(one, int(index), other, int(same[overlaps.argmax()]))
            if shape:
                return f"{shape} {described} lies elsewhere"
    return ""


def sample_pictures() -> list[Picture]:
    """The same pictures on every machine, in two shapes: noise, and plates with marks that a trained model detects."""
    random = np.random.default_rng(7)
    pictures: list[Picture] = []
    for height, width in ((480, 640), (480, 640), (640, 480)):
        picture = random.normal(120, 12, (height, width, 3)).clip(0, 255).astype(np.uint8)
        cv2.rectangle(picture, (90, 110), (390, 370), (170, 172, 176), -1)
        for _ in range(6):
            start, end = random.integers(100, 360, 2), random.integers(100, 360, 2)
            cv2.line(picture, tuple(map(int, start)), tuple(map(int, end)), (60, 62, 66), int(random.integers(1, 6)))
            cv2.circle(picture, tuple(map(int, start)), int(random.integers(4, 24)), (40, 44, 52), -1)
        pictures.append(picture)
    return pictures


def _nms_argument(opened: YoloModel) -> bool | None:
    """For ultralytics. False exports the NMS-free head; None leaves the suppression to the runtime."""
    return False if opened.nms_free else None


def main(arguments: Sequence[str]) -> int:
    """`arguments`: the fields of a Job, the last two as one (`onnx fp16`). Returns 2 for a wrong setting.

    The last line on stderr names the error.
    """
    try:
        weights, digest, target, cache, room, named, kind = arguments
        form, _, precision = kind.partition(" ")
        job_precision = cast("Precision | None", precision or None)
        export(Job(weights, digest, target, cache, room, named, cast(Format, form), job_precision))
    except FatalError as error:
        sys.stderr.write(f"{error}\n")
        return 2 if isinstance(error, ConfigError) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
