"""What a spike's lags say."""

import pytest

from andon.errors import FatalError
from bench.measurements.arrival_spike import Result, findings
from bench.measurements.spike_model import Lag, Spike

SPIKE = Spike(base_per_s=5, factor=100, begins_s=4, lasts_s=10)
LAGS = [Lag(1, 0), Lag(4, 0), Lag(14, 3900), Lag(24, 1950), Lag(36, 0)]


def result(lags: list[Lag], inspected: int = 6000) -> Result:
    return Result(200.0, SPIKE, lags, 6000, inspected, 0)


def test_the_ratio_is_the_drain_time_beside_the_ideal() -> None:
    (ratio,) = findings(result(LAGS)).ratios
    assert ratio.value == pytest.approx(22 / 20)  # 3900 frames at 195 a second


def test_a_frame_that_was_lost_leaves_no_ratio_but_its_number() -> None:
    found = findings(result(LAGS, inspected=5999))
    assert not found.ratios
    assert found.failed == {"spike_drain_vs_ideal": "1 of 6000 frames were lost"}


def test_a_backlog_that_never_drained_is_an_error() -> None:
    with pytest.raises(FatalError, match="1950 frames still waited"):
        findings(result(LAGS[:-1]))
