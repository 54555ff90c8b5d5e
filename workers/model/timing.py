"""Times detectors in turns (A B C A B C), so that other load on the machine affects all of them alike."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from workers.detector import Detector, Picture


@dataclass(frozen=True, slots=True)
class Speed:
    """Median of the turns, in ms for one frame."""

    wall_ms: float
    cpu_ms: float
    """Of all threads together. On a busy machine it says more than wall time."""


def time_in_turns(
    detectors: Sequence[Detector], pictures: Sequence[Picture], batch: int, turns: int = 7
) -> list[Speed]:
    """Each detector gets all pictures once a turn; the first turn does not count. Blocks for long."""
    taken: list[list[tuple[float, float]]] = [[] for _ in detectors]
    for turn in range(turns + 1):
        for detector, times in zip(detectors, taken, strict=True):
            wall, cpu = time.perf_counter(), time.process_time()
            for start in range(0, len(pictures), batch):
                detector.detect(pictures[start : start + batch])
            if turn:
                times.append((time.perf_counter() - wall, time.process_time() - cpu))
    each = 1000 / len(pictures)
    return [
        Speed(round(median(wall for wall, _ in times) * each, 2), round(median(cpu for _, cpu in times) * each, 2))
        for times in taken
    ]
