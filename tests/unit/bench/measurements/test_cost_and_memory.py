"""Memory's slope, and the rate at which it is filled."""

import pytest

from bench.measurements.cost_and_memory import BUSY, MemorySample, mb_per_100k, possible_per_s
from deploy.local.cpu import CpuSpan


def test_growth_of_settled_memory_is_for_a_hundred_thousand_frames() -> None:
    samples = [MemorySample(1000 * n, {"ingest": 100 + 0.01 * n, "sinks": 50.0}) for n in range(100)]
    assert mb_per_100k(samples, ("ingest", "sinks")) == pytest.approx(1.0)


def test_memory_that_fills_caches_at_first_is_no_growth() -> None:
    samples = [MemorySample(1000 * n, {"ingest": min(100.0, 10.0 * n)}) for n in range(101)]
    assert mb_per_100k(samples, ("ingest",)) == 0


def test_one_high_reading_is_no_growth() -> None:
    samples = [MemorySample(1000 * n, {"ingest": 500.0 if n == 90 else 100.0}) for n in range(100)]
    assert mb_per_100k(samples, ("ingest",)) == 0


def span(**cpu_s: float) -> CpuSpan:
    return CpuSpan(10, cpu_s, dict.fromkeys(cpu_s, 1000.0))


def test_the_cores_bound_the_rate() -> None:
    costs = {"ingest": 1.0, "worker-1": 1.0, "sinks": 1.0, "broker": 1.0}  # 4 ms a frame in all
    assert possible_per_s(span(**costs), cores=2) == pytest.approx(BUSY * 500)


def test_the_busiest_process_bounds_the_rate_if_there_are_many_cores() -> None:
    costs = {"ingest": 2.0, "worker-1": 1.0, "sinks": 1.0}
    assert possible_per_s(span(**costs), cores=64) == pytest.approx(BUSY * 500)
