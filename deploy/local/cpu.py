"""CPU seconds and memory of running processes, from mark to mark. Child processes count, also those that have ended."""

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

TICK_S = 1 / os.sysconf("SC_CLK_TCK")
"""The resolution of another process's CPU time: 10 ms, which is 0.1 % of ten seconds."""


def cpu_s(pid: int) -> float:
    """CPU seconds (user and system, all threads) of a running process, its children, and children it has waited for.

    Raises psutil.NoSuchProcess if the process has ended.
    """
    process = psutil.Process(pid)
    total = _own(process)
    for child in process.children(recursive=True):
        try:
            total += _own(child)
        except psutil.NoSuchProcess:
            pass  # it has just ended: its parent's sum includes it now or at the next mark
    return total


def _own(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system + times.children_user + times.children_system)


def first_thread_s(pid: int) -> float:
    """CPU seconds of a process's first thread, which runs the event loop in a role. Linux only. Raises OSError."""
    return thread_s(Path(f"/proc/{pid}/task/{pid}/stat").read_text(encoding="utf-8", errors="replace"))


def thread_s(stat: str) -> float:
    """User and system seconds in a line of /proc/PID/stat (proc(5)): fields 14 and 15, in ticks.

    The second field is the name in parentheses; it may contain spaces and parentheses.
    """
    fields = stat.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICK_S


def rss_mb(pid: int) -> float:
    """Resident memory of a process and its children, in MB of a million bytes."""
    process = psutil.Process(pid)
    return float(sum(each.memory_info().rss for each in (process, *process.children(recursive=True)))) / 1e6


@dataclass(frozen=True, slots=True)
class Mark:
    """CPU seconds and frames of some processes at one moment, by name."""

    at_s: float
    """Monotonic."""
    cpu_s: Mapping[str, float]
    frames: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class CpuSpan:
    """The increase between two marks."""

    wall_s: float
    cpu_s: Mapping[str, float]
    frames: Mapping[str, float]

    def cpu_ms_a_frame(self, name: str) -> float:
        """Raises ZeroDivisionError if `name` processed no frame."""
        return 1000 * self.cpu_s[name] / self.frames[name]

    def per_s(self, name: str) -> float:
        return self.frames[name] / self.wall_s


def mark(pids: Mapping[str, int], frames: Mapping[str, float]) -> Mark:
    """A mark of this moment. Count the frames just before the call: reading the CPU times takes a millisecond."""
    return Mark(time.monotonic(), {name: cpu_s(pid) for name, pid in pids.items()}, dict(frames))


def between(first: Mark, last: Mark) -> CpuSpan:
    """The span between two marks, with the names that both have."""

    def increase(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
        return {name: after[name] - before[name] for name in after if name in before}

    return CpuSpan(last.at_s - first.at_s, increase(first.cpu_s, last.cpu_s), increase(first.frames, last.frames))


def total_ms_a_frame(span: CpuSpan, names: Sequence[str]) -> float:
    """CPU ms a frame of several processes; each is divided by the frames that it processed itself."""
    return sum(span.cpu_ms_a_frame(name) for name in names)
