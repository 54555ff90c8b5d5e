"""A contender is a process of its own: it says, in one JSON line, what it did between warm-up and end.

So nobody's imports, exports and first batches count, and nobody's memory or threads are in another's way.
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
"""Loading a model, and exporting it once."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a contender did in its steady span."""

    frames: float
    wall_s: float
    cpu_s: float
    """Of the whole process, all threads."""
    more: Mapping[str, Any] = field(default_factory=dict)
    """What else it has to say of itself."""

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


def run(module: str, *arguments: str, span_s: float) -> Result:
    """`python -m bench.MODULE ARGUMENTS --span SPAN`, to its end. Raises FatalError with its last words."""
    name = f"bench.{module}"
    command = [sys.executable, "-m", name, *arguments, "--span", f"{span_s:g}"]
    try:
        done = subprocess.run(  # noqa: S603 - this interpreter and this package
            command, capture_output=True, text=True, timeout=START_S + 10 * span_s, check=False, env=environment()
        )
    except subprocess.TimeoutExpired:
        raise FatalError(f"{name} did not end within {START_S + 10 * span_s:.0f} s") from None
    result = heard(done.stdout)
    if done.returncode != 0 or result is None:
        said = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise FatalError(f"{name} {' '.join(arguments)}: exit {done.returncode}: {said}")
    return result


def heard(output: str) -> Result | None:
    """The last result that was told there: libraries write what they like before it."""
    lines = [line for line in output.splitlines() if line.startswith("{")]
    return Result(**json.loads(lines[-1])) if lines else None


def tell(result: Result) -> None:
    """Say it to who ran this process."""
    sys.stdout.write(json.dumps(asdict(result)) + "\n")
    sys.stdout.flush()


Now = tuple[float, float]
"""Seconds on the clock, and of CPU."""


def now() -> Now:
    return time.perf_counter(), time.process_time()


class Meter:
    """Inside a contender: counts its frames, and the time and CPU from the first one after warm-up on."""

    def __init__(self, warm_s: float, span_s: float, now: Callable[[], Now] = now) -> None:
        self._now = now
        self._warm_s = warm_s
        self._span_s = span_s
        self._first_s: float | None = None
        self._from: Now | None = None
        self._frames = 0.0
        self._last: Now = (0.0, 0.0)

    def add(self, frames: int) -> bool:
        """So many more are done. False: that is enough."""
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

    def result(self, **more: Any) -> Result:
        """Raises FatalError where the frames ended before half of the span was over."""
        wall_s = 0.0 if self._from is None else self._last[0] - self._from[0]
        if self._from is None or wall_s < self._span_s / 2:
            raise FatalError(f"the frames ended after {wall_s:.1f} of {self._span_s:.1f} s: that tells nothing")
        return Result(self._frames, wall_s, self._last[1] - self._from[1], more)
