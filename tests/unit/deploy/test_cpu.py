"""CPU seconds of processes."""

import os
import subprocess
import sys

import pytest

from deploy.local import cpu
from deploy.local.cpu import Mark, between, thread_s, total_ms_a_frame

BURN = "import time\nwhile time.process_time() < {s}: pass\n"


def burning(seconds: float, *, child_s: float = 0.0, then: str = "") -> subprocess.Popen[str]:
    """A process that burns CPU itself and in a short-lived child of its own."""
    child = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {BURN.format(s=child_s)!r}], check=True)\n"
    code = (child if child_s else "") + BURN.format(s=seconds) + then
    return subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_the_cpu_of_ended_child_processes_counts() -> None:
    process = burning(0.2, child_s=0.3, then="print('burnt', flush=True)\ninput()")
    assert process.stdout is not None
    assert process.stdout.readline() == "burnt\n"
    burnt_s = cpu.cpu_s(process.pid)
    process.communicate("\n")
    assert 0.5 - 4 * cpu.TICK_S <= burnt_s < 5.0


def test_the_first_threads_cpu_excludes_the_others() -> None:
    work = "import threading, time\ndef burn():\n  while time.thread_time() < 0.3: pass\n"
    code = f"{work}t = threading.Thread(target=burn); t.start(); t.join(); print('burnt', flush=True); input()"
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    first_s, all_s = cpu.first_thread_s(process.pid), cpu.cpu_s(process.pid)
    process.communicate("\n")
    assert all_s - first_s >= 0.3 - 4 * cpu.TICK_S


def test_a_threads_name_may_contain_parentheses() -> None:
    rest = "S 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20 0 1 0 100"
    assert thread_s(f"42 (a ) b (c)) {rest}") == pytest.approx(200 / os.sysconf("SC_CLK_TCK"))


def test_memory_is_in_megabytes() -> None:
    assert 1 < cpu.rss_mb(os.getpid()) < 10_000


def test_a_span_is_the_increase_between_two_marks() -> None:
    first = Mark(10.0, {"ingest": 1.0, "worker": 2.0}, {"ingest": 100, "worker": 50})
    last = Mark(14.0, {"ingest": 2.0, "worker": 6.0}, {"ingest": 300, "worker": 450})
    span = between(first, last)
    assert span.wall_s == 4.0
    assert span.per_s("worker") == 100.0
    assert span.cpu_ms_a_frame("ingest") == pytest.approx(5.0)
    assert span.cpu_ms_a_frame("worker") == pytest.approx(10.0)
    assert total_ms_a_frame(span, ["ingest", "worker"]) == pytest.approx(15.0)


def test_a_process_that_began_between_the_marks_is_left_out() -> None:
    span = between(Mark(0.0, {}, {}), Mark(1.0, {"late": 9.0}, {"late": 9}))
    assert span.cpu_s == {}
    assert span.frames == {}
