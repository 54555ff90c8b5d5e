"""Exports a .pt to OpenVINO or ONNX and checks the export against its source, as a process that `cached_export` starts.

A process of its own, so that the worker that serves the export carries neither torch nor ultralytics: less memory, and
the code in a .pt runs only here.
"""

import hashlib
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from andon.errors import ConfigError, FatalError
from workers.detector import Found, LetterboxDetector, ModelInfo, Network, Picture
from workers.runtimes.pytorch import TorchNetwork, device_named
from workers.runtimes.ultralytics_model import Opened, open_weights

SAMPLE_CONFIDENCE = 1e-6
"""Even an untrained model has something to compare."""
CERTAIN = 0.3
"""Detections this confident must be there in both, in the same place."""
MAX_SCORE_GAP = 0.1
"""bf16 keeps 8 bits of a number: the exports that were measured differed by less than a hundredth."""
MIN_IOU = 0.8
OPTIONS = {"openvino": {"dynamic": True}, "onnx": {"dynamic": True, "simplify": False}}
"""Any batch and shape; what simplifying does to an ONNX file, ONNX Runtime does when it loads it."""


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be exported. Paths are text: they come from a command line."""

    weights: str
    digest: str
    """sha256 that the weights must have: what is loaded is what was checked."""
    target: str
    cache: str
    """A folder on the same file system as `target`."""
    named: str
    """Begins each message: the key and the file of the user's."""
    form: str
    """A `cache.Format`."""


def export(job: Job) -> None:
    """Write `job.target`, checked. Raises ConfigError (no model) or FatalError (export differs)."""
    if job.form == "openvino":
        from workers.runtimes.openvino import import_openvino  # noqa: PLC0415 - only what is exported to is needed

        import_openvino()  # before ultralytics does
    cache, named = Path(job.cache), job.named
    with tempfile.TemporaryDirectory(dir=cache, prefix="export-") as room:
        copy = Path(room) / "model.pt"  # ultralytics exports beside its source, which may be read-only
        shutil.copyfile(job.weights, copy)
        if hashlib.sha256(copy.read_bytes()).hexdigest() != job.digest:
            raise ConfigError(f"{named}: the file changed while it was read")
        opened = open_weights(copy, cache, named)
        options = OPTIONS[job.form] | {"nms": _nms_argument(opened), "imgsz": opened.imgsz}
        made = Path(opened.yolo.export(format=job.form, **options))
        check(open_weights(copy, cache, named), made, named, job.form)
        made.rename(job.target)


def check(opened: Opened, made: Path, named: str, form: str = "openvino") -> None:
    """Raises FatalError unless the export `made` sees what its source `opened` sees."""
    info = ModelInfo("", "", "cpu", opened.imgsz, opened.classes, head=opened.head)
    source = TorchNetwork(opened, device_named("cpu", named), SAMPLE_CONFIDENCE)
    pictures = sample_pictures()
    served = _served(made, form, len(pictures), named)
    pairs = zip(
        LetterboxDetector(source, info, len(pictures), SAMPLE_CONFIDENCE).detect(pictures),
        LetterboxDetector(served, info, len(pictures), SAMPLE_CONFIDENCE).detect(pictures),
        strict=True,
    )
    for ours, theirs in pairs:
        complaint = disagreement(ours, theirs)
        if complaint:
            raise FatalError(f"{named}: the {form} export differs from its source ({complaint}): use runtime: torch")


def _served(made: Path, form: str, batch_size: int, named: str) -> Network:
    if form == "onnx":
        from workers.runtimes.onnx import OnnxNetwork, open_onnx  # noqa: PLC0415 - only what is exported to is needed

        return OnnxNetwork(open_onnx(made, "cpu", batch_size, named), SAMPLE_CONFIDENCE)
    from workers.runtimes.openvino import OpenVinoNetwork, read_export  # noqa: PLC0415 - as above

    return OpenVinoNetwork(read_export(made, named), "CPU", SAMPLE_CONFIDENCE, named)


def disagreement(source: Found, served: Found) -> str:
    """What `served` saw otherwise than `source`, in a few words; empty if they agree within bf16's precision."""
    count = min(len(source.confidences), len(served.confidences), 20)
    gaps = np.abs(source.confidences[:count] - served.confidences[:count])
    if count and gaps.max() > MAX_SCORE_GAP:
        return f"confidences by {gaps.max():.2f}"
    for one, other in ((source, served), (served, source)):
        for index in np.flatnonzero(one.confidences > CERTAIN + MAX_SCORE_GAP):
            same = other.classes == one.classes[index]
            overlaps = _iou(one.boxes[index], other.boxes[same])
            if not len(overlaps) or overlaps.max() < MIN_IOU:
                return f"a box of class {one.classes[index]} at {one.confidences[index]:.2f} is only in one"
    return ""


def sample_pictures() -> list[Picture]:
    """Two shapes of the same on every machine: noise, and plates with marks on them for a trained model to see."""
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


def _nms_argument(opened: Opened) -> bool | None:
    """ultralytics: False exports the NMS-free head, None leaves the suppression to whoever serves the export."""
    return False if opened.nms_free else None


def _iou(box: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """(4,) against (n, 4), corners -> (n,)"""
    low, high = np.maximum(box[:2], boxes[:, :2]), np.minimum(box[2:], boxes[:, 2:])
    shared = np.prod(np.clip(high - low, 0, None), axis=1)
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    result: np.ndarray = shared / (np.prod(box[2:] - box[:2]) + areas - shared)
    return result


def main(arguments: Sequence[str]) -> int:
    """The fields of a Job. The last line on stderr says what is wrong; returns 2 for a mistake in the settings."""
    try:
        export(Job(*arguments))
    except FatalError as error:
        sys.stderr.write(f"{error}\n")
        return 2 if isinstance(error, ConfigError) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
