"""The findings of a spike."""

import pytest

from andon.errors import FatalError
from bench.measurements.arrival_spike import SpikeRun, findings
from bench.measurements.spike_model import Lag, Spike

SPIKE = Spike(base_per_s=5, factor=100, begins_s=4, lasts_s=10)
LAGS = [Lag(1, 0), Lag(4, 0), Lag(14, 3900), Lag(24, 1950), Lag(36, 0)]


def spike_run(lags: list[Lag], inspected: int = 6000) -> SpikeRun:
    return SpikeRun(200.0, SPIKE, lags, 6000, inspected, 0)


def test_the_ratio_is_the_drain_time_over_the_ideal() -> None:
    (ratio,) = findings(spike_run(LAGS)).ratios
    assert ratio.value == pytest.approx(22 / 20)  # 3900 frames at 195 a second


def test_a_lost_frame_is_a_failure_without_a_ratio() -> None:
    found = findings(spike_run(LAGS, inspected=5999))
    assert not found.ratios
    assert found.failed == {"spike_drain_vs_ideal": "1 of 6000 frames were lost"}


def test_a_backlog_that_never_drains_is_an_error() -> None:
    with pytest.raises(FatalError, match="1950 frames still waited"):
        findings(spike_run(LAGS[:-1]))
