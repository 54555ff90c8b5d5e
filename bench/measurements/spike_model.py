"""A spike of arrivals and what it leaves behind (pure): when which frame is due, how long draining takes at best."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Spike:
    """`base_per_s` frames a second; from `begins_s` on, for `lasts_s`, `factor` times as many."""

    base_per_s: float
    factor: float = 100.0
    begins_s: float = 4.0
    lasts_s: float = 10.0

    @property
    def ends_s(self) -> float:
        return self.begins_s + self.lasts_s

    def due(self, at_s: float) -> int:
        """How many frames have arrived by then."""
        in_spike_s = min(max(0.0, at_s - self.begins_s), self.lasts_s)
        return int(self.base_per_s * (at_s + (self.factor - 1) * in_spike_s))


@dataclass(frozen=True, slots=True)
class Lag:
    """Frames that had arrived and were not inspected, at one moment."""

    at_s: float
    frames: int


def ideal_drain_s(backlog: float, capacity_per_s: float, base_per_s: float) -> float:
    """How long workers of that capacity need for a backlog while frames go on arriving.

    Raises ValueError where they never get there.
    """
    if capacity_per_s <= base_per_s:
        raise ValueError(f"{capacity_per_s:.1f} frames/s never drain what grows by {base_per_s:.1f} frames/s")
    return backlog / (capacity_per_s - base_per_s)


def level(lags: Sequence[Lag], before_s: float) -> int:
    """The lag that is usual: the highest one seen before the spike. Raises ValueError where none was seen."""
    return max(lag.frames for lag in lags if lag.at_s < before_s)


def backlog_at(lags: Sequence[Lag], at_s: float) -> float:
    """The lag at a moment between two samples, on the line between them."""
    before = max((lag for lag in lags if lag.at_s <= at_s), key=lambda lag: lag.at_s)
    after = min((lag for lag in lags if lag.at_s >= at_s), key=lambda lag: lag.at_s)
    if after.at_s == before.at_s:
        return before.frames
    part = (at_s - before.at_s) / (after.at_s - before.at_s)
    return before.frames + part * (after.frames - before.frames)


def drained_at_s(lags: Sequence[Lag], from_s: float, usual: int) -> float | None:
    """The first moment from which on the lag is no higher than usual again; None: it never was."""
    return next((lag.at_s for lag in lags if lag.at_s >= from_s and lag.frames <= usual), None)
