"""CPU seconds of processes while they run, from mark to mark; helpers that have ended since count."""

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

TICK_S = 1 / os.sysconf("SC_CLK_TCK")
"""How finely the kernel tells another process's CPU: 10 ms, 0.1 % of ten seconds."""


def cpu_s(pid: int) -> float:
    """CPU seconds (user and system, all threads) of a running process, its children, and those it has waited for.

    Raises psutil.NoSuchProcess where it has ended.
    """
    process = psutil.Process(pid)
    total = _own(process)
    for child in process.children(recursive=True):
        try:
            total += _own(child)
        except psutil.NoSuchProcess:
            pass  # it has ended since: its parent's sum has it now, or at the next mark
    return total


def _own(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system + times.children_user + times.children_system)


def first_thread_s(pid: int) -> float:
    """CPU seconds of a running process's first thread: an event loop's, in a role. Linux only; raises OSError."""
    return thread_s(Path(f"/proc/{pid}/task/{pid}/stat").read_text(encoding="utf-8", errors="replace"))


def thread_s(stat: str) -> float:
    """User and system seconds in a line of /proc/PID/stat (proc(5)): fields 14 and 15, in ticks.

    The second field, the name, stands in parentheses and may hold anything.
    """
    fields = stat.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) * TICK_S


def rss_mb(pid: int) -> float:
    """Resident memory of a process and its children, in MB of a million bytes."""
    process = psutil.Process(pid)
    return float(sum(each.memory_info().rss for each in (process, *process.children(recursive=True)))) / 1e6


@dataclass(frozen=True, slots=True)
class Mark:
    """How far some processes were at one moment: CPU seconds, and a count of frames, by name."""

    at_s: float
    """Monotonic."""
    cpu_s: Mapping[str, float]
    frames: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Span:
    """What happened between two marks."""

    wall_s: float
    cpu_s: Mapping[str, float]
    frames: Mapping[str, float]

    def cpu_ms_a_frame(self, name: str) -> float:
        """Raises ZeroDivisionError where `name` did no frame."""
        return 1000 * self.cpu_s[name] / self.frames[name]

    def per_s(self, name: str) -> float:
        return self.frames[name] / self.wall_s


def mark(pids: Mapping[str, int], frames: Mapping[str, float]) -> Mark:
    """Now. Count the frames just before: reading the CPU takes a millisecond."""
    return Mark(time.monotonic(), {name: cpu_s(pid) for name, pid in pids.items()}, dict(frames))


def between(first: Mark, last: Mark) -> Span:
    """What is named in both."""

    def grown(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
        return {name: after[name] - before[name] for name in after if name in before}

    return Span(last.at_s - first.at_s, grown(first.cpu_s, last.cpu_s), grown(first.frames, last.frames))


def total_ms_a_frame(span: Span, names: Sequence[str]) -> float:
    """CPU ms a frame of several processes, each by the frames that it did itself."""
    return sum(span.cpu_ms_a_frame(name) for name in names)
