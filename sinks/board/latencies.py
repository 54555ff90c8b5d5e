"""Latency from capture to inspection over the last hours, minute by minute, in bounded memory.

Each minute has one histogram with steps of 10 %, so a percentile is right within 10 %, whatever the line's pace.
"""

from bisect import bisect_left
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import UTC, datetime

MINUTES = 12 * 60
FIRST_S, RATIO, STEPS = 0.001, 1.1, 140
BOUNDS_S = tuple(FIRST_S * RATIO**step for step in range(STEPS))
"""From 1 ms to about ten minutes."""


@dataclass(frozen=True, slots=True)
class InspectionSample:
    captured_at: datetime
    inspected_at: datetime
    batch_size: int
    model: str
    runtime: str

    @property
    def latency_s(self) -> float:
        return max(0.0, (self.inspected_at - self.captured_at).total_seconds())


@dataclass(slots=True)
class _Minute:
    counts: list[int] = field(default_factory=lambda: [0] * (STEPS + 1))
    frames: int = 0
    batched: int = 0
    """The sum of batch sizes."""


@dataclass(frozen=True, slots=True)
class MinuteLatency:
    at: datetime
    frames: int
    p50_s: float
    p95_s: float
    p99_s: float
    batch: float


@dataclass(slots=True)
class Latencies:
    """Filled by one reader; a board that starts anew begins with what the stream still holds."""

    _minutes: OrderedDict[int, _Minute] = field(default_factory=OrderedDict)
    models: dict[tuple[str, str], datetime] = field(default_factory=dict)
    """(digest, runtime) -> when it last inspected. The last 20."""

    def add(self, sample: InspectionSample) -> None:
        number = int(sample.inspected_at.timestamp() // 60)
        minute = self._minutes.setdefault(number, _Minute())
        minute.counts[bisect_left(BOUNDS_S, sample.latency_s)] += 1
        minute.frames += 1
        minute.batched += sample.batch_size
        while len(self._minutes) > MINUTES:
            del self._minutes[min(self._minutes)]
        key = (sample.model, sample.runtime)
        self.models[key] = max(sample.inspected_at, self.models.get(key, sample.inspected_at))
        while len(self.models) > 20:
            del self.models[min(self.models, key=lambda name: self.models[name])]

    def minutes(self) -> list[MinuteLatency]:
        """In order; a minute without inspections is left out."""
        return [_summary(number, [self._minutes[number]]) for number in sorted(self._minutes)]

    def over(self, now: datetime, minutes: int) -> MinuteLatency | None:
        """All of the last minutes together. None: nothing was inspected."""
        first = int(now.timestamp() // 60) - minutes
        chosen = [minute for number, minute in self._minutes.items() if number > first]
        return _summary(first, chosen) if chosen else None


def _summary(number: int, minutes: list[_Minute]) -> MinuteLatency:
    counts = [sum(column) for column in zip(*(minute.counts for minute in minutes), strict=True)]
    frames = sum(minute.frames for minute in minutes)
    p50_s, p95_s, p99_s = (_quantile(counts, frames, share) for share in (0.5, 0.95, 0.99))
    batch = sum(minute.batched for minute in minutes) / frames
    return MinuteLatency(datetime.fromtimestamp(number * 60, UTC), frames, p50_s, p95_s, p99_s, batch)


def _quantile(counts: list[int], total: int, share: float) -> float:
    """The upper bound of the step in which it lies."""
    rank, so_far = share * total, 0
    for step, count in enumerate(counts):
        so_far += count
        if so_far >= rank:
            return round(BOUNDS_S[min(step, STEPS - 1)], 4)
    return round(BOUNDS_S[-1], 4)
