"""The workers follow a whole day's load: no flapping, a spike that drains in time, a pool that shrinks when idle."""

from itertools import pairwise

import pytest

from deploy.scaling import ScalingRule
from tests.scaling.day import BREAKS, DEATH_S, HOUR_S, POISON, SHIFT_PER_S, Day, ideal_drain_s, simulate
from tests.scaling.figures import drained_s, turns
from tests.scaling.pool_model import PoolModel

SEEDS = (1, 2, 3)


@pytest.fixture(scope="module", params=SEEDS)
def day(request: pytest.FixtureRequest) -> Day:
    return simulate(ScalingRule(1, 8, lag_threshold=100), PoolModel(), request.param)


def test_the_number_of_workers_turns_at_most_once_in_five_minutes(day: Day) -> None:
    assert all(later - earlier >= 300 for earlier, later in pairwise(turns(day)))


def test_the_spike_is_worked_off_in_at_most_a_fifth_more_than_the_ideal_time(day: Day) -> None:
    assert drained_s(day) <= 1.2 * ideal_drain_s(day.rule, day.model)


def test_a_shift_runs_with_a_lag_below_the_threshold_once_its_workers_are_warm(day: Day) -> None:
    for begins_s, ends_s in ((6 * HOUR_S, 9 * HOUR_S), (14.25 * HOUR_S, 16 * HOUR_S), (19 * HOUR_S, 22 * HOUR_S)):
        warm = day.between(begins_s + 300, ends_s)
        assert max(moment.latency_s for moment in warm) < 10
        assert all(moment.ready * day.model.worker_per_s > SHIFT_PER_S for moment in warm)


def test_the_pool_is_at_its_least_in_the_night_and_in_a_long_break(day: Day) -> None:
    idle_s = day.rule.down_window_s + 60
    for begins_s, ends_s in ((22 * HOUR_S, 24 * HOUR_S), (4 * HOUR_S, 6 * HOUR_S), BREAKS[1]):
        assert {moment.workers for moment in day.between(begins_s + idle_s, ends_s)} == {day.rule.least}


def test_a_poison_partition_costs_no_more_than_one_worker(day: Day) -> None:
    usual = max(moment.workers for moment in day.between(14.75 * HOUR_S, POISON[0]))
    assert max(moment.workers for moment in day.between(POISON[0] + 300, POISON[1])) <= usual + 1


def test_the_line_goes_on_when_a_worker_dies(day: Day) -> None:
    after = day.between(DEATH_S, DEATH_S + 600)
    assert max(moment.latency_s for moment in after) < 60
    assert after[-1].latency_s < 2


def test_a_day_takes_less_than_half_the_gpu_hours_of_a_fixed_pool(day: Day) -> None:
    assert day.gpu_hours < 0.5 * 24 * day.rule.most


def test_a_pool_that_may_sleep_does_so_in_a_night_without_frames() -> None:
    day = simulate(ScalingRule(0, 8, lag_threshold=100), PoolModel(), night_per_s=0.0)
    assert {moment.workers for moment in day.between(1 * HOUR_S, 3 * HOUR_S)} == {0}
    assert {moment.workers for moment in day.between(23 * HOUR_S, 24 * HOUR_S)} == {0}
