"""A plant's day: two shifts with breaks, a night almost without work, a hundred-fold spike, and what goes wrong.

The workers follow the lag by the product's own rule (`deploy/scaling.py`).
"""

import random
from dataclasses import dataclass, field

from deploy.scaling import Scaler, ScalingRule
from tests.scaling.pool_model import STEP_S, PoolModel, SimulatedPool

HOUR_S = 3600.0
DAY_S = 24 * HOUR_S
NIGHT_PER_S = 5.0
SHIFT_PER_S = 300.0
SPIKE_PER_S = 100 * NIGHT_PER_S
SPIKE = (3 * HOUR_S, 3 * HOUR_S + 300)
"""Somebody replays a night's recordings: a hundred times the frames for five minutes."""
SHIFTS = ((6 * HOUR_S, 14 * HOUR_S), (14.25 * HOUR_S, 22 * HOUR_S))
BREAKS = ((9 * HOUR_S, 9.25 * HOUR_S), (12 * HOUR_S, 12.5 * HOUR_S), (18 * HOUR_S, 18.5 * HOUR_S))
POISON = (16 * HOUR_S, 16.5 * HOUR_S)
"""One partition stands still: a record in it ends whoever reads it."""
DEATH_S = 11 * HOUR_S
READING_S = 15.0
"""The period of Kubernetes' autoscaler. `andon up` reads every 5 s; KEDA's own 30 s are for a pool that sleeps."""


@dataclass(frozen=True, slots=True)
class Moment:
    at_s: float
    workers: int
    ready: int
    lag: int
    latency_s: float
    arrivals_per_s: float


@dataclass(slots=True)
class Day:
    """How it went, from reading to reading."""

    rule: ScalingRule
    model: PoolModel
    moments: list[Moment] = field(default_factory=list)
    worker_s: float = 0.0

    @property
    def gpu_hours(self) -> float:
        """One worker holds one GPU."""
        return self.worker_s / HOUR_S

    def between(self, begins_s: float, ends_s: float) -> list[Moment]:
        return [moment for moment in self.moments if begins_s <= moment.at_s < ends_s]


def arrivals_per_s(at_s: float, night_per_s: float) -> float:
    if _within(at_s, SPIKE):
        return SPIKE_PER_S
    on_shift = any(_within(at_s, shift) for shift in SHIFTS)
    return SHIFT_PER_S if on_shift and not any(_within(at_s, pause) for pause in BREAKS) else night_per_s


def simulate(
    rule: ScalingRule,
    model: PoolModel,
    seed: int = 1,
    night_per_s: float = NIGHT_PER_S,
    reading_s: float = READING_S,
) -> Day:
    """`reading_s`: seconds between two readings of the lag, a whole number."""
    pool, scaler, day = SimulatedPool(model, max(rule.least, 1), random.Random(seed)), Scaler(rule), Day(rule, model)
    for tick in range(int(DAY_S / STEP_S)):
        now_s = tick * STEP_S
        rate = arrivals_per_s(now_s, night_per_s)
        pool.partitions[7].blocked = _within(now_s, POISON)
        if now_s == DEATH_S:
            pool.kill_one(now_s)
        pool.step(now_s, rate)
        day.worker_s += pool.workers * STEP_S
        if now_s % reading_s == 0:
            partitions = pool.readings(rate)
            pool.resize(now_s, scaler.workers(now_s, partitions, pool.workers))
            lag = sum(each.lag for each in partitions)
            at = (now_s, pool.workers, pool.ready(now_s), lag, pool.latency_s(now_s), rate)
            day.moments.append(Moment(*at))
    return day


def ideal_drain_s(rule: ScalingRule, model: PoolModel) -> float:
    """From the spike's begin until the last of its frames is inspected, if all workers that the rule allows had been
    started at once: they warm up, then work at full speed."""
    begins_s, ends_s = SPIKE
    frames = (ends_s - begins_s) * SPIKE_PER_S
    full_per_s = rule.most * model.worker_per_s
    return max(ends_s - begins_s, model.warm_s + frames / full_per_s)


def _within(at_s: float, span: tuple[float, float]) -> bool:
    return span[0] <= at_s < span[1]
