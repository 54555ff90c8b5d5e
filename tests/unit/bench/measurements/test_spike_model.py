"""A spike of arrivals, and how long its backlog should take to drain."""

import pytest

from bench.measurements.spike_model import Lag, Spike, backlog_at, drained_at_s, ideal_drain_s, usual_lag

SPIKE = Spike(base_per_s=5, factor=100, begins_s=4, lasts_s=10)
LAGS = [Lag(0, 1), Lag(2, 3), Lag(5, 200), Lag(10, 1000), Lag(20, 500), Lag(30, 3), Lag(31, 0)]


def test_before_the_spike_frames_arrive_at_the_base_rate() -> None:
    assert SPIKE.due(4) == 20


def test_in_the_spike_a_hundred_times_as_many_arrive() -> None:
    assert SPIKE.due(5) - SPIKE.due(4) == 500


def test_after_the_spike_it_is_the_base_rate_again() -> None:
    assert SPIKE.due(24) - SPIKE.due(14) == 50
    assert SPIKE.due(14) == 20 + 5000


def test_a_backlog_drains_with_the_capacity_that_the_arrivals_leave() -> None:
    assert ideal_drain_s(1900, capacity_per_s=200, base_per_s=10) == 10


def test_workers_that_are_slower_than_the_arrivals_never_drain() -> None:
    with pytest.raises(ValueError, match="never drain"):
        ideal_drain_s(100, capacity_per_s=5, base_per_s=5)


def test_the_usual_lag_is_the_highest_before_the_spike() -> None:
    assert usual_lag(LAGS, before_s=4) == 3


def test_the_backlog_between_two_samples_is_interpolated() -> None:
    assert backlog_at(LAGS, 15) == 750


def test_the_backlog_at_a_sample_is_that_sample() -> None:
    assert backlog_at(LAGS, 10) == 1000


def test_it_has_drained_when_the_lag_is_usual_again_after_the_spike() -> None:
    assert drained_at_s(LAGS, from_s=14, usual=3) == 30


def test_a_lag_that_stays_high_has_not_drained() -> None:
    assert drained_at_s(LAGS[:5], from_s=14, usual=3) is None
