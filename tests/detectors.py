"""A detector whose answer can be read off the picture, and weights of each kind for the real ones."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from andon.pictures.picture import Bgr
from workers.detector import Detections, ModelInfo, Picture

DEMO_WEIGHTS = Path(__file__).parents[1] / "sample_streams" / "models" / "andon-demo.pt"
FAKE_INFO = ModelInfo("f" * 64, "fake", "cpu", 320, ("dark", "bright"))


class FakeDetector:
    """Finds one box in every picture: over all of it, as confident as the picture is bright.

    `before` is called with each batch, to fail or to wait.
    """

    def __init__(self, before: Callable[[Sequence[Picture]], None] = lambda pictures: None) -> None:
        self.batches: list[int] = []
        self._before = before

    @property
    def info(self) -> ModelInfo:
        return FAKE_INFO

    def warm_up(self) -> None:
        self.detect([grey(0)])

    def detect(self, pictures: Sequence[Picture]) -> list[Detections]:
        self.batches.append(len(pictures))
        self._before(pictures)
        return [_found(picture) for picture in pictures]


def _found(picture: Picture) -> Detections:
    height, width = picture.shape[:2]
    level = brightness(picture)
    return Detections(
        np.array([[0, 0, width, height]], np.float32),
        np.array([level / 255], np.float32),
        np.array([int(level > 127)], np.int64),
    )


def grey(level: int, size: tuple[int, int] = (48, 64)) -> Bgr:
    return np.full((*size, 3), level, np.uint8)


def brightness(picture: Picture) -> int:
    return round(float(on_host(picture).mean()))


def on_host(picture: Picture) -> Bgr:
    return picture if isinstance(picture, np.ndarray) else np.asarray(picture.cpu())
