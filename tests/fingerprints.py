"""A detector whose answer says which pixels it was given, so that an inspection proves what was inspected.

`python -m tests.fingerprints -c line.yaml` is `andon work` with it.
"""

import hashlib
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from andon.config import load
from andon.messages import Inspection
from andon.process import lifecycle
from andon.settings import PoolSettings
from workers.detector import Detections, ModelInfo, Picture
from workers.role import work
from workers.runtimes.cache import Exporter

CLASSES = tuple(f"{value:02x}" for value in range(256))
"""A class for each value of a byte."""
BYTES = 6
"""Of a picture's sha256: one detection for each."""


class FingerprintDetector:
    """Finds in every picture the bytes of its fingerprint, in their order."""

    @property
    def info(self) -> ModelInfo:
        return ModelInfo("f" * 64, "fake", "cpu", 320, CLASSES)

    def warm_up(self) -> None:
        """There is nothing to warm up."""

    def detect(self, pictures: Sequence[Picture]) -> list[Detections]:
        return [_found(picture) for picture in pictures]


def _found(picture: Picture) -> Detections:
    height, width = picture.shape[:2]
    boxes = np.tile(np.array([0, 0, width, height], np.float32), (BYTES, 1))
    confidences = np.linspace(0.9, 0.5, BYTES, dtype=np.float32)
    return Detections(boxes, confidences, np.frombuffer(_digest(picture), np.uint8).astype(np.int64))


def _digest(picture: Picture) -> bytes:
    shape = repr(picture.shape).encode()
    return hashlib.sha256(shape + np.ascontiguousarray(picture).tobytes()).digest()[:BYTES]


def fingerprint(picture: Picture) -> str:
    """Of uint8 BGR pixels (H, W, 3)."""
    return _digest(picture).hex()


def fingerprint_in(inspection: Inspection) -> str:
    """The fingerprint of the pixels that were inspected."""
    return "".join(detection.label for detection in inspection.detections)


def open_detector(_pool: PoolSettings, _name: str, _exporter: Exporter) -> FingerprintDetector:
    return FingerprintDetector()


def main(path: str) -> int:
    role = partial(work, pool_name="default", open_detector=open_detector)
    return lifecycle.run("work", role, load(Path(path)))


if __name__ == "__main__":
    sys.exit(main(sys.argv[2]))
