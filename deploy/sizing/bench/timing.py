"""Times work again and again for a given time: CPU and wall, the median of the rounds."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

LEAST_ROUNDS = 3


@dataclass(frozen=True, slots=True)
class Time:
    """Of one round, in ms."""

    wall_ms: float
    cpu_ms: float
    """Of all threads of this process."""


def time_rounds(work: Callable[[], object], seconds: float) -> Time:
    """Run `work` for about `seconds`, three times at least; the first round does not count. Blocks."""
    work()
    rounds: list[tuple[float, float]] = []
    end = time.perf_counter() + seconds
    while len(rounds) < LEAST_ROUNDS or time.perf_counter() < end:
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        rounds.append((time.perf_counter() - wall, time.process_time() - cpu))
    return Time(1000 * median(wall for wall, _ in rounds), 1000 * median(cpu for _, cpu in rounds))


@dataclass(frozen=True, slots=True)
class Throughput:
    """Of several threads that did the same."""

    call_ms: float
    """The median of the calls, from begin to end."""
    calls_per_s: float
    cpu_ms: float
    """For each call, of all threads."""


def time_threads(work: Callable[[], object], threads: int, seconds: float) -> Throughput:
    """Run `work` on that many threads at once for about `seconds`, after one round that does not count. Blocks."""
    work()
    calls: list[float] = []
    failures: list[Exception] = []
    end = time.perf_counter() + seconds

    def repeat() -> None:
        try:
            for _ in range(LEAST_ROUNDS):
                _timed(work, calls)
            while time.perf_counter() < end:
                _timed(work, calls)
        except Exception as failure:  # a thread's boundary: the caller raises it
            failures.append(failure)

    began, cpu = time.perf_counter(), time.process_time()
    running = [threading.Thread(target=repeat, daemon=True, name=f"bench-{number}") for number in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    if failures:
        raise failures[0]
    wall, cpu = time.perf_counter() - began, time.process_time() - cpu
    return Throughput(1000 * median(calls), len(calls) / wall, 1000 * cpu / len(calls))


def _timed(work: Callable[[], object], calls: list[float]) -> None:
    began = time.perf_counter()
    work()
    calls.append(time.perf_counter() - began)
