"""The rule by which workers follow the load: Kubernetes' autoscaler on the lag, as KEDA's Kafka trigger reads it. Pure.

`andon up --workers 1..4` and a cluster decide by the same arithmetic, so what holds on one machine holds on a farm.
Sources: KEDA's Apache Kafka scaler (https://keda.sh/docs/latest/scalers/apache-kafka/) with limitToPartitionsWithLag
and excludePersistentLag; the horizontal pod autoscaler (https://kubernetes.io/docs/tasks/run-application/horizontal-pod-autoscale/).
"""

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

TOLERANCE = 0.1
"""The autoscaler changes nothing while the lag is within this fraction of what the workers should have."""


@dataclass(frozen=True, slots=True)
class ScalingRule:
    """Bounds and times; their names in KEDA stand in brackets."""

    least: int
    """[minReplicaCount] 0: the pool sleeps while there is nothing to do."""
    most: int
    """[maxReplicaCount]"""
    lag_threshold: int = 100
    """[lagThreshold] Records of lag for each worker."""
    activation_lag: int = 0
    """[activationLagThreshold] A lag above it wakes a pool that sleeps."""
    up_window_s: float = 0.0
    """[scaleUp.stabilizationWindowSeconds] A worker is added when each reading of this time asks for it."""
    down_window_s: float = 300.0
    """[scaleDown.stabilizationWindowSeconds] A worker is removed when no reading of this time asks for it."""
    cooldown_s: float = 300.0
    """[cooldownPeriod] A pool falls asleep this long after the last lag above `activation_lag`."""

    def __post_init__(self) -> None:
        """Raises ValueError for bounds that no pool can keep."""
        if not 0 <= self.least <= self.most or self.most < 1:
            raise ValueError("a pool has at least 0 workers and at most 1 or more, the first not above the second")
        if self.lag_threshold < 1:
            raise ValueError("lag_threshold: at least one record")


@dataclass(frozen=True, slots=True)
class Reading:
    """One partition: the group's committed offset in it, and the records behind that."""

    committed: int
    lag: int


@dataclass(frozen=True, slots=True)
class Wish:
    """How many workers one reading asked for."""

    at_s: float
    workers: int


class Scaler:
    """One pool's. Give it a reading every few seconds."""

    def __init__(self, rule: ScalingRule) -> None:
        self._rule = rule
        self._wishes: deque[Wish] = deque()
        self._committed: list[int] = []
        """Of the reading before."""
        self._active_s: float | None = None
        """When the lag was above `activation_lag` last."""

    def workers(self, at_s: float, partitions: Sequence[Reading], current: int) -> int:
        """The number of workers to have now.

        `at_s`: a monotonic clock's, in seconds. `partitions`: all of the topic, always in the same order. `current`:
        the workers there are, those that are still loading their model included.
        """
        rule, active = self._rule, sum(each.lag for each in partitions) > self._rule.activation_lag
        if active or self._active_s is None:
            self._active_s = at_s
        lags = self._moving(partitions)
        if rule.least == 0:
            if current == 0:
                return 1 if active else 0
            if at_s - self._active_s >= rule.cooldown_s:
                return 0
        wish = min(max(wanted(rule, lags, current), rule.least, 1), rule.most)
        return self._steadied(Wish(at_s, wish), current)

    def _moving(self, partitions: Sequence[Reading]) -> list[int]:
        """The lags; 0 for a partition that stands since the last reading: more workers would not help it."""
        before = self._committed if len(self._committed) == len(partitions) else [-1] * len(partitions)
        self._committed = [each.committed for each in partitions]
        return [0 if each.committed == last else each.lag for each, last in zip(partitions, before, strict=True)]

    def _steadied(self, wish: Wish, current: int) -> int:
        """Up to the least, down to the most that the readings of the window asked for."""
        rule = self._rule
        self._wishes.append(wish)
        oldest_s = wish.at_s - max(rule.up_window_s, rule.down_window_s)
        while self._wishes[0].at_s < oldest_s:
            self._wishes.popleft()
        up = min(each.workers for each in self._wishes if each.at_s >= wish.at_s - rule.up_window_s)
        down = max(each.workers for each in self._wishes if each.at_s >= wish.at_s - rule.down_window_s)
        return min(max(current, up), down)


def wanted(rule: ScalingRule, lags: Sequence[int], current: int) -> int:
    """The workers that one reading asks for, before bounds and windows.

    A partition has one reader, so partitions without lag give no worker anything to do: more workers than partitions
    with lag are never wanted.
    """
    lag = min(sum(lags), sum(1 for each in lags if each) * rule.lag_threshold)
    if current > 0 and abs(lag / (rule.lag_threshold * current) - 1) <= TOLERANCE:
        return current
    return math.ceil(lag / rule.lag_threshold)
