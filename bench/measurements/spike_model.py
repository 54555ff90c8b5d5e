"""A spike of arrivals and its backlog (pure): how many frames are due when, and the shortest time to drain."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Spike:
    """`base_per_s` frames a second, and `factor` times that from `begins_s` on for `lasts_s`."""

    base_per_s: float
    factor: float = 100.0
    begins_s: float = 4.0
    lasts_s: float = 10.0

    @property
    def ends_s(self) -> float:
        return self.begins_s + self.lasts_s

    def due(self, at_s: float) -> int:
        """The number of frames that have arrived by `at_s`."""
        in_spike_s = min(max(0.0, at_s - self.begins_s), self.lasts_s)
        return int(self.base_per_s * (at_s + (self.factor - 1) * in_spike_s))


@dataclass(frozen=True, slots=True)
class Lag:
    """The number of frames that had arrived and were not inspected at one moment."""

    at_s: float
    frames: int


def ideal_drain_s(backlog: float, capacity_per_s: float, base_per_s: float) -> float:
    """How long workers of that capacity take to drain a backlog while frames go on arriving.

    Raises ValueError if they never do.
    """
    if capacity_per_s <= base_per_s:
        raise ValueError(f"{capacity_per_s:.1f} frames/s never drain a backlog that grows by {base_per_s:.1f} frames/s")
    return backlog / (capacity_per_s - base_per_s)


def usual_lag(lags: Sequence[Lag], before_s: float) -> int:
    """The highest lag before the spike. Raises ValueError if there is no sample of it."""
    return max(lag.frames for lag in lags if lag.at_s < before_s)


def backlog_at(lags: Sequence[Lag], at_s: float) -> float:
    """The lag at a moment, interpolated between two samples."""
    before = max((lag for lag in lags if lag.at_s <= at_s), key=lambda lag: lag.at_s)
    after = min((lag for lag in lags if lag.at_s >= at_s), key=lambda lag: lag.at_s)
    if after.at_s == before.at_s:
        return before.frames
    part = (at_s - before.at_s) / (after.at_s - before.at_s)
    return before.frames + part * (after.frames - before.frames)


def drained_at_s(lags: Sequence[Lag], from_s: float, usual: int) -> float | None:
    """The first moment after `from_s` at which the lag is at most `usual`; None if there is none."""
    return next((lag.at_s for lag in lags if lag.at_s >= from_s and lag.frames <= usual), None)
