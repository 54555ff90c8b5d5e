"""The CPU cost of a frame with more and more cameras, and whether memory grows with the number of frames.

The detector sleeps and the pictures are small, so that a frame costs only Andon's own work. The total rate is the same
for any number of cameras, so that the cost of a camera itself shows: its threads, its heartbeats.
"""

import os
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from scipy.stats import theilslopes

from bench.harness.context import Context
from bench.harness.plots import Curves, StackedBars
from bench.harness.report import Findings, Ratio
from bench.harness.rounds import Rounds
from bench.harness.synthetic_line import ROLES, SyntheticLine, synthetic_line
from deploy.local import cpu

FRAMES_PER_S = 384.0
"""Of all cameras together; each of 64 cameras has six a second."""
COMPARED = (4, 64)
ROUNDS = 2
FRAMES = 110_000
WITHIN_S = 97.0
"""How long that many frames take if the machine is fast enough."""
LONGEST_S = 160.0
"""A slower machine samples fewer frames."""
CAMERAS = 16
"""While memory is sampled."""
BUSY = 0.6
"""The highest load on all cores, and on the one core of the busiest process, while memory is sampled. A line that falls
behind holds records that it fetched ahead; that memory is bounded and is no growth."""
SETTLED = 0.4
"""The first fraction of the frames, which fills caches and buffers."""
SAMPLE_S = 2.0


@dataclass(frozen=True, slots=True)
class MemorySample:
    """Resident memory of the line's processes after `frames` inspected frames."""

    frames: float
    rss_mb: Mapping[str, float]
    lag_records: float = 0.0
    """How far the worker is behind. It has fetched some of these records, and they take memory, too."""


def measure(context: Context) -> Findings:
    """Measure the cost at 4 and at 64 cameras, then memory, as fast as the machine can without falling behind."""
    with synthetic_line(context) as line:
        compared = _costs(line, context)
        per_s = _rate(line, context)
        context.say(f"growth: memory at {per_s:.0f} frames/s")
        samples = _sample_memory(line, context, per_s)
    return findings(compared, samples, per_s)


def findings(compared: Rounds[cpu.CpuSpan], samples: Sequence[MemorySample], per_s: float) -> Findings:
    """The ratios and the tables. `per_s`: the rate at which memory was sampled."""
    spans = {int(name): each for name, each in compared.results.items()}
    low, high = map(str, COMPARED)
    came_from = {f"cameras_{name}_cpu_ms_a_frame": statistics.median(compared.values(name)) for name in (low, high)}
    grown = {name: mb_per_100k(samples, (name,)) for name in (*ROLES, "broker")}
    frames = samples[-1].frames - samples[0].frames
    figures = {
        "frames_per_s": FRAMES_PER_S,
        "memory_frames_per_s": per_s,
        "memory_frames": frames,
        "memory_lag_most_records": max(sample.lag_records for sample in samples),
    }
    return Findings(
        [
            Ratio("cost_64_vs_4_cameras", compared.ratio(high, low), came_from, compared.spread(high, low)),
            Ratio("memory_mb_per_100k_frames", mb_per_100k(samples, ROLES), {"frames": frames, **_named(grown)}),
        ],
        figures | _named(grown) | compared.figures(),
        {
            "cost by cameras: CPU ms a frame": [_row(count, spans[count]) for count in sorted(spans)],
            "cost by cameras: rounds": compared.rows(),
            "memory: growth": [{"process": name, "MB for 100,000 frames": value} for name, value in grown.items()],
        },
        [_cost_plot(spans), _memory_plot(samples)],
    )


def _costs(line: SyntheticLine, context: Context) -> Rounds[cpu.CpuSpan]:
    """With each number of cameras in turn."""

    def at(count: int) -> cpu.CpuSpan:
        with line.cameras(count, FRAMES_PER_S):
            time.sleep(context.warm_s)
            span = line.span(context.span_s)
        context.say(f"growth: {count} cameras: {ms_a_frame(span):.2f} CPU ms a frame")
        return span

    contenders = {str(count): partial(at, count) for count in COMPARED}
    return context.turns(most=ROUNDS).run(contenders, ms_a_frame, "CPU ms a frame")


def _rate(line: SyntheticLine, context: Context) -> float:
    """The rate at which memory is sampled. It is tried first, since a higher rate makes larger, cheaper batches."""
    wanted_per_s = FRAMES / WITHIN_S
    with line.cameras(CAMERAS, wanted_per_s):
        time.sleep(context.warm_s)
        span = line.span(context.span_s)
    return min(wanted_per_s, possible_per_s(span, os.cpu_count() or 1))


def ms_a_frame(span: cpu.CpuSpan) -> float:
    """Of the line, without broker and Redis."""
    return sum(span.cpu_ms_a_frame(name) for name in ROLES)


def possible_per_s(span: cpu.CpuSpan, cores: int) -> float:
    """Frames a second that load the cores up to BUSY, and no process's own core above it."""
    all_s = sum(span.cpu_ms_a_frame(name) for name in span.cpu_s) / 1000
    busiest_s = max(span.cpu_ms_a_frame(name) for name in ROLES) / 1000
    return BUSY * min(cores / all_s, 1 / busiest_s)


def _sample_memory(line: SyntheticLine, context: Context, per_s: float) -> list[MemorySample]:
    longest_s = 10.0 if context.quick else LONGEST_S
    samples: list[MemorySample] = []
    with line.cameras(CAMERAS, per_s):
        time.sleep(context.warm_s)
        pids = {**line.roles.pids(), **line.servers}
        began, before = time.monotonic(), line.frames()
        while time.monotonic() - began < longest_s and (not samples or samples[-1].frames < FRAMES):
            rss_mb = {name: cpu.rss_mb(pid) for name, pid in pids.items()}
            samples.append(MemorySample(line.frames() - before, rss_mb, line.lag_records()))
            time.sleep(SAMPLE_S)
    return samples


def mb_per_100k(samples: Sequence[MemorySample], names: Sequence[str]) -> float:
    """Growth in 100,000 frames of the memory of `names`, once caches are full: the median slope (Theil-Sen)."""
    settled = [sample for sample in samples if sample.frames >= SETTLED * samples[-1].frames]
    memory = [sum(sample.rss_mb[name] for name in names) for sample in settled]
    return float(theilslopes(memory, [sample.frames / 100_000 for sample in settled]).slope)


def _named(grown: Mapping[str, float]) -> dict[str, float]:
    return {f"{name}_mb_per_100k_frames": value for name, value in grown.items()}


def _row(count: int, spans: Sequence[cpu.CpuSpan]) -> dict[str, object]:
    def middle(name: str) -> float:
        return statistics.median(span.cpu_ms_a_frame(name) for span in spans)

    whole = statistics.median(ms_a_frame(span) for span in spans)
    rate = statistics.median(span.per_s("sinks") for span in spans)
    parts = {name: middle(name) for name in (*ROLES, "broker", "redis")}
    return {"cameras": count, "frames_per_s": rate, "line": whole, **parts}


def _cost_plot(spans: Mapping[int, Sequence[cpu.CpuSpan]]) -> StackedBars:
    rows = {
        str(count): {name: each[-1].cpu_ms_a_frame(name) for name in ROLES} for count, each in sorted(spans.items())
    }
    return StackedBars("cost_by_cameras", "The same frames from more cameras", "CPU ms a frame", rows)


def _memory_plot(samples: Sequence[MemorySample]) -> Curves:
    points = {name: [(sample.frames, sample.rss_mb[name]) for sample in samples] for name in ROLES}
    return Curves("memory", "Resident memory", "frames", "MB", points)
