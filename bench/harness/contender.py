"""A contender runs in a process of its own and prints its throughput, after the warm-up, as one JSON line.

So imports, exports and first batches do not count, and no contender's memory or threads disturb another.
"""

import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from andon.errors import FatalError
from bench.harness.roles import environment

START_S = 120.0
"""The most that loading a model may take, and exporting it once."""


@dataclass(frozen=True, slots=True)
class Throughput:
    """The frames of a contender in its measured span, and what they cost."""

    frames: float
    wall_s: float
    cpu_s: float
    """Of all threads of the process."""
    more: Mapping[str, Any] = field(default_factory=dict)
    """Other figures of the contender."""

    @property
    def frames_per_s(self) -> float:
        return self.frames / self.wall_s

    @property
    def cpu_ms_a_frame(self) -> float:
        return 1000 * self.cpu_s / self.frames

    @property
    def frames_per_cpu_s(self) -> float:
        return self.frames / self.cpu_s

    def figures(self) -> dict[str, Any]:
        return {
            "frames": self.frames,
            "wall_s": self.wall_s,
            "frames_per_s": self.frames_per_s,
            "cpu_ms_a_frame": self.cpu_ms_a_frame,
            "frames_per_cpu_s": self.frames_per_cpu_s,
            **self.more,
        }


def run(module: str, *arguments: str, span_s: float) -> Throughput:
    """`python -m bench.MODULE ARGUMENTS --span SPAN`, until it ends. Raises FatalError with its last line on stderr."""
    name = f"bench.{module}"
    command = [sys.executable, "-m", name, *arguments, "--span", f"{span_s:g}"]
    try:
        done = subprocess.run(  # noqa: S603 - this interpreter and this package
            command, capture_output=True, text=True, timeout=START_S + 10 * span_s, check=False, env=environment()
        )
    except subprocess.TimeoutExpired:
        raise FatalError(f"{name} did not end within {START_S + 10 * span_s:.0f} s") from None
    throughput = parse(done.stdout)
    if done.returncode != 0 or throughput is None:
        last = (done.stderr.strip().splitlines() or ["nothing on stderr"])[-1]
        raise FatalError(f"{name} {' '.join(arguments)}: exit {done.returncode}: {last}")
    return throughput


def parse(output: str) -> Throughput | None:
    """Read the last line that `emit` printed; libraries may print other lines before it."""
    lines = [line for line in output.splitlines() if line.startswith("{")]
    return Throughput(**json.loads(lines[-1])) if lines else None


def emit(throughput: Throughput) -> None:
    """Print it for the process that started this one."""
    sys.stdout.write(json.dumps(asdict(throughput)) + "\n")
    sys.stdout.flush()


Now = tuple[float, float]
"""Wall-clock seconds and CPU seconds."""


def now() -> Now:
    return time.perf_counter(), time.process_time()


class Meter:
    """Runs inside a contender. Counts frames, time and CPU from the first frame after the warm-up on."""

    def __init__(self, warm_s: float, span_s: float, now: Callable[[], Now] = now) -> None:
        self._now = now
        self._warm_s = warm_s
        self._span_s = span_s
        self._first_s: float | None = None
        self._from: Now | None = None
        self._frames = 0.0
        self._last: Now = (0.0, 0.0)

    def add(self, frames: int) -> bool:
        """Count `frames` more. Returns False once the span is over."""
        now = self._now()
        if self._first_s is None:
            self._first_s = now[0]
        if self._from is None:
            if now[0] - self._first_s >= self._warm_s:
                self._from = now
            return True
        self._frames += frames
        self._last = now
        return now[0] - self._from[0] < self._span_s

    def result(self, **more: Any) -> Throughput:
        """Raises FatalError if the frames ended before half of the span had passed."""
        wall_s = 0.0 if self._from is None else self._last[0] - self._from[0]
        if self._from is None or wall_s < self._span_s / 2:
            raise FatalError(f"the frames ended after {wall_s:.1f} of {self._span_s:.1f} s: too few to measure")
        return Throughput(self._frames, wall_s, self._last[1] - self._from[1], more)
