"""A worker whose detector takes a fixed time for a batch, as a GPU would: it sleeps on the detector's thread.

Everything else is Andon's own worker, so that only Andon's own work costs CPU and eight workers fit on two cores.

    python -m bench.harness.sleeping_worker -c line.yaml --batch-ms 160
"""

import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import click
import numpy as np

from andon.cli import config_option
from andon.config import load
from andon.process import lifecycle
from andon.settings import PoolSettings
from sample_streams.spec import CLASSES
from workers.detector import Detections, Detector, ModelInfo, Picture
from workers.role import work as inspect

_INFO = ModelInfo("0" * 64, "sleeping", "none", 160, CLASSES)
"""Its classes are those of the demo's model: a worker does not start if line.yaml names a class that it lacks."""


class SleepingDetector:
    """Detects nothing in any picture; takes `batch_s` for a batch of any size."""

    def __init__(self, batch_s: float) -> None:
        self._batch_s = batch_s

    @property
    def info(self) -> ModelInfo:
        return _INFO

    def warm_up(self) -> None:
        """Nothing to do: its first batch is as fast as the others."""

    def detect(self, pictures: Sequence[Picture]) -> list[Detections]:
        time.sleep(self._batch_s)
        return [_nothing() for _ in pictures]


def _nothing() -> Detections:
    return Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64))


@click.command()
@config_option()
@click.option("--batch-ms", type=click.FloatRange(0), required=True, help="How long the detector takes for a batch.")
def work(path: Path, batch_ms: float) -> None:
    """Run `andon work` with the sleeping detector in place of the model."""

    def sleeping(_pool: PoolSettings, _name: str, _exporter: object) -> Detector:
        return SleepingDetector(batch_ms / 1000)

    role = partial(inspect, pool_name="default", open_detector=sleeping)
    sys.exit(lifecycle.run("work", role, load(path)))


if __name__ == "__main__":
    work()
