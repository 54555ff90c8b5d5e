"""The findings of a spike that workers follow."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from andon.errors import FatalError
from andon.messages import Inspection
from bench.harness.scaled_workers import Change
from bench.measurements.scaled_spike import KEYS, ScaledRun, findings, ideal_s
from bench.measurements.spike_model import Lag, Spike
from tests.fakes import START
from tests.unit.sample_streams.test_observer import frame

SPIKE = Spike(base_per_s=5, factor=100, begins_s=5, lasts_s=15)
LAGS = [Lag(0, 1), Lag(4, 2), Lag(20, 6000), Lag(40, 2000), Lag(55, 2), Lag(80, 0)]
CHANGES = [Change(0, 1), Change(9, 4), Change(70, 1)]


def inspections(waits_s: Sequence[float]) -> list[Inspection]:
    """A frame a second, each of which waited so long."""
    frames = [frame(seq, "inspected", wait_s) for seq, wait_s in enumerate(waits_s)]
    return [
        each.model_copy(
            update={
                "captured_at": START + timedelta(seconds=seq),
                "inspected_at": START + timedelta(seconds=seq + waits_s[seq]),
            }
        )
        for seq, each in enumerate(frames)
    ]


def run() -> ScaledRun:
    waits_s = [0.1] * 5 + [20.0] * 50 + [0.2] * 25
    return ScaledRun(SPIKE, LAGS, CHANGES, 4.0, len(waits_s), inspections(waits_s), 0, START, 0)


def test_ideal_is_that_all_workers_start_with_the_first_frame_of_the_spike() -> None:
    # 7425 frames, and 150 a second that three workers miss while they start; 200 less 5 a second are worked off
    assert ideal_s(SPIKE, 0.0) == pytest.approx(7425 / 195)
    assert ideal_s(SPIKE, 4.0) == pytest.approx((7425 + 600) / 195)
    assert ideal_s(replace(SPIKE, factor=2.0), 0.0) == SPIKE.lasts_s


def test_the_ratios_are_the_time_until_the_lag_is_gone_and_the_wait_after_it() -> None:
    drain, after = findings(run()).ratios
    assert drain.value == pytest.approx((55 - 5) / ideal_s(SPIKE, 4.0))
    assert after.value == pytest.approx(0.2)
    assert findings(run()).figures["longest_wait_s"] == pytest.approx(20)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"sent": 90}, "10 of 90 frames were lost"),
        ({"died": 1}, "1 workers died"),
        ({"changes": CHANGES[:2]}, "the workers went 1 -> 4, not 1 -> 4 -> 1"),
        ({"changes": [Change(0, 1), Change(9, 3), Change(70, 1)]}, "the workers went 1 -> 3 -> 1, not 1 -> 4 -> 1"),
    ],
)
def test_what_proves_nothing_gives_no_ratio(changed: dict[str, object], reason: str) -> None:
    found = findings(replace(run(), **changed))  # type: ignore[arg-type]  # one field each
    assert found.ratios == ()
    assert found.failed == dict.fromkeys(KEYS, reason)


def test_a_lag_that_never_goes_is_an_error() -> None:
    with pytest.raises(FatalError, match="2000 frames still waited"):
        findings(replace(run(), lags=LAGS[:4]))
