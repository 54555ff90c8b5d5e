"""What the line's model takes here, by the detector that a worker serves, for several sizes of batches."""

from collections.abc import Sequence

from andon.settings import PoolSettings
from deploy.sizing.bench.timing import time_threads
from deploy.sizing.measured import BatchFigures, ModelFigures
from workers.detector import Detector, Picture
from workers.runtimes.cache import Exporter
from workers.runtimes.choice import load


def opened(pool: PoolSettings, name: str, export_s: float) -> Detector:
    """The pool's detector, warm. Exports the model if this machine has not done so: minutes, at most `export_s`.

    Raises ConfigError or FatalError, one line about the model.
    """
    detector = load(pool, name, Exporter(export_s))
    detector.warm_up()
    return detector


def measure(detector: Detector, pool: PoolSettings, pictures: Sequence[Picture], seconds: float) -> ModelFigures:
    """Blocks for about `seconds`. `pictures`: decoded as a worker decodes them."""
    sizes = batch_sizes(pool.batch.size)
    info = detector.info
    return ModelFigures(
        weights=pool.model.weights,
        runtime=info.runtime,
        device=info.device,
        precision=info.precision,
        imgsz=info.imgsz,
        window_ms=pool.batch.max_wait_ms,
        batches=tuple(_batch(detector, pictures, size, seconds / len(sizes)) for size in sizes),
    )


def batch_sizes(largest: int) -> list[int]:
    """1, 4 and the pool's own, as far as that allows."""
    return sorted({1, min(4, largest), largest})


def _batch(detector: Detector, pictures: Sequence[Picture], size: int, seconds: float) -> BatchFigures:
    batch = [pictures[number % len(pictures)] for number in range(size)]
    found = time_threads(lambda: detector.detect(batch), detector.info.at_once, seconds)
    return BatchFigures(
        batch=size,
        ms=round(1000 / (found.calls_per_s * size), 3),
        batch_ms=round(found.call_ms, 3),
        cpu_ms=round(found.cpu_ms / size, 3),
    )
