"""The cores that a load keeps busy, between two readings."""

import os

import pytest

from bench.harness.busy_cores import Reading, busy_cores, read
from deploy.local.cpu import Mark


def reading(at_s: float, worker_s: float, own_s: float, machine_s: float) -> Reading:
    return Reading(Mark(at_s, {"worker": worker_s}, {}), own_s, machine_s)


def test_what_neither_the_line_nor_the_bench_took_is_other_work() -> None:
    found = busy_cores(reading(10, 100, 5, 1000), reading(20, 112, 6, 1018))
    assert found == pytest.approx({"worker": 1.2, "bench": 0.1, "other work": 0.5})


def test_ticks_of_the_clock_make_no_other_work_below_zero() -> None:
    assert busy_cores(reading(0, 0, 0, 0), reading(1, 1, 0.5, 1.4))["other work"] == 0


def test_a_reading_counts_the_whole_machine_without_its_idle_time() -> None:
    first = read({"me": os.getpid()})
    sum(range(100_000))
    last = read({"me": os.getpid()})
    assert last.own_s >= first.own_s
    assert last.machine_s >= first.machine_s > 0
    assert set(last.processes.cpu_s) == {"me"}
