"""The rule that adds and removes workers, held against the published arithmetic of KEDA and of the autoscaler."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.scaling import Reading, Scaler, ScalingRule, wanted

RULE = ScalingRule(1, 10, lag_threshold=100)


class Pool:
    """A scaler, and partitions whose committed offsets move with each reading."""

    def __init__(self, rule: ScalingRule) -> None:
        self._scaler = Scaler(rule)
        self._committed = 0

    def workers(self, at_s: float, lags: list[int], current: int) -> int:
        self._committed += 1
        return self._scaler.workers(at_s, [Reading(self._committed, lag) for lag in lags], current)


@pytest.mark.parametrize(
    ("lags", "current", "workers"),
    [
        ([0, 0, 0, 0], 1, 0),  # nothing to do
        ([50, 0, 0, 0], 1, 1),  # ceil(50 / 100)
        ([100, 150, 0, 0], 1, 2),  # ceil(2.5) = 3, but only two partitions have lag
        ([100, 100, 50, 1], 1, 3),  # ceil(251 / 100)
        ([5_000, 0, 0, 0], 1, 1),  # one partition has one reader
        ([5_000, 5_000, 5_000, 5_000], 1, 4),
        ([105, 105, 0, 0], 2, 2),  # within a tenth of 2 x 100
        ([95, 95, 0, 0], 2, 2),
        ([110, 111, 10, 0], 2, 3),  # beyond it: ceil(231 / 100)
    ],
)
def test_a_reading_asks_for_as_many_workers_as_the_cluster_would(lags: list[int], current: int, workers: int) -> None:
    assert wanted(RULE, lags, current) == workers


@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=40), st.integers(1, 40), st.integers(1, 500))
def test_no_reading_asks_for_more_workers_than_partitions_with_lag(lags: list[int], current: int, each: int) -> None:
    rule = ScalingRule(0, 100, lag_threshold=each)
    workers = wanted(rule, lags, current)
    assert workers <= max(sum(1 for lag in lags if lag), current)
    if workers != current:
        assert workers == min(math.ceil(sum(lags) / each), sum(1 for lag in lags if lag))


def test_workers_come_at_once_and_go_when_no_reading_of_the_window_needs_them() -> None:
    scaler = Pool(ScalingRule(1, 4, lag_threshold=100, down_window_s=300))
    assert scaler.workers(0, [400, 400, 400, 400], 1) == 4
    assert scaler.workers(10, [0, 0, 0, 0], 4) == 4
    assert scaler.workers(200, [150, 150, 0, 0], 4) == 4
    assert scaler.workers(301, [0, 0, 0, 0], 4) == 2
    assert scaler.workers(501, [0, 0, 0, 0], 2) == 1


def test_a_short_peak_adds_no_worker_within_the_window_upwards() -> None:
    scaler = Pool(ScalingRule(1, 4, lag_threshold=100, up_window_s=30))
    assert scaler.workers(0, [0, 0], 1) == 1
    assert scaler.workers(10, [500, 500], 1) == 1
    assert scaler.workers(20, [500, 500], 1) == 1
    assert scaler.workers(40, [500, 500], 1) == 2


def test_a_pool_falls_asleep_after_the_cooldown_and_wakes_at_the_first_record() -> None:
    scaler = Pool(ScalingRule(0, 4, lag_threshold=100, cooldown_s=300))
    assert scaler.workers(0, [0], 0) == 0
    assert scaler.workers(10, [1], 0) == 1
    assert scaler.workers(20, [0], 1) == 1
    assert scaler.workers(309, [0], 1) == 1
    assert scaler.workers(310, [0], 1) == 0
    assert scaler.workers(400, [0], 0) == 0


def test_a_lag_below_the_activation_wakes_nobody() -> None:
    scaler = Pool(ScalingRule(0, 4, lag_threshold=100, activation_lag=20))
    assert scaler.workers(0, [20], 0) == 0
    assert scaler.workers(10, [21], 0) == 1


@given(st.lists(st.lists(st.integers(0, 5_000), min_size=6, max_size=6), min_size=1, max_size=60), st.integers(0, 3))
def test_the_number_of_workers_keeps_its_bounds(readings: list[list[int]], least: int) -> None:
    scaler, workers = Pool(ScalingRule(least, 5, lag_threshold=100, down_window_s=60, cooldown_s=60)), least
    for number, lags in enumerate(readings):
        workers = scaler.workers(10.0 * number, lags, workers)
        assert least <= workers <= 5


@pytest.mark.parametrize(("least", "most", "each"), [(-1, 1, 1), (3, 2, 1), (0, 0, 1), (1, 2, 0)])
def test_bounds_that_no_pool_can_keep_are_refused(least: int, most: int, each: int) -> None:
    with pytest.raises(ValueError, match=r"."):
        ScalingRule(least, most, lag_threshold=each)


def test_a_partition_that_stands_adds_no_worker_and_wakes_one() -> None:
    scaler = Scaler(ScalingRule(0, 4, lag_threshold=100))
    stands = [Reading(7, 5_000), Reading(7, 0)]
    assert scaler.workers(0, stands, 0) == 1
    assert scaler.workers(10, stands, 1) == 1
    assert scaler.workers(20, [Reading(7, 9_000), Reading(9, 150)], 1) == 1
    assert scaler.workers(30, [Reading(8, 9_000), Reading(10, 150)], 1) == 2
