"""The workers follow a whole day's load: no flapping, a spike that drains in time, a pool that shrinks when idle."""

from itertools import pairwise
from pathlib import Path

import pytest

from deploy.scaling import ScalingRule
from tests.scaling.__main__ import draw
from tests.scaling.day import BREAKS, DEATH_S, HOUR_S, POISON, SHIFT_PER_S, Day, Moment, ideal_drain_s, simulate
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


def test_what_the_poison_held_up_is_worked_off_once_it_is_mended(day: Day) -> None:
    held = day.between(*POISON)[-1]
    mended = day.between(POISON[1] + 600, POISON[1] + 900)
    assert held.lag > 20_000
    assert all(moment.lag <= day.rule.lag_threshold * moment.workers for moment in mended)


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


def test_the_rule_holds_at_the_period_of_andon_up() -> None:
    day = simulate(ScalingRule(1, 8, lag_threshold=100), PoolModel(), reading_s=5.0)
    assert all(later - earlier >= 300 for earlier, later in pairwise(turns(day)))
    assert drained_s(day) <= 1.2 * ideal_drain_s(day.rule, day.model)
    assert day.moments[-1].workers == day.rule.least


def test_keyframes_ten_seconds_apart_need_a_higher_threshold_and_a_window_upwards() -> None:
    """Cameras that save bandwidth send few keyframes, and offsets are committed up to them."""
    model = PoolModel(group_of_pictures_s=10.0)
    rule = ScalingRule(1, 8, lag_threshold=int(model.worker_per_s * model.group_of_pictures_s / 2), up_window_s=30)
    day = simulate(rule, model)
    assert all(later - earlier >= 300 for earlier, later in pairwise(turns(day)))
    assert drained_s(day) <= 1.2 * ideal_drain_s(rule, model)
    on_shift = day.between(7 * HOUR_S, 9 * HOUR_S)
    assert max(moment.workers for moment in on_shift) <= 4
    assert max(moment.latency_s for moment in on_shift) < 10


def test_the_day_is_drawn(tmp_path: Path) -> None:
    file = tmp_path / "day.png"
    draw(Day(ScalingRule(1, 8), PoolModel(), [Moment(0, 1, 1, 50, 0.1, 300), Moment(15, 2, 1, 90, 0.2, 300)]), file)
    assert file.read_bytes().startswith(b"\x89PNG")
