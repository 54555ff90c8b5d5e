"""What a frame costs as the cameras become more, and whether memory grows as the frames do.

The detector sleeps and the pictures are small: all that is left is what Andon itself does with a frame. The total rate
is the same whatever the number of cameras, so that each camera's own cost shows: its threads, its heartbeats.
"""

import os
import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from scipy.stats import theilslopes

from bench.harness import cpu
from bench.harness.context import Room
from bench.harness.plots import Curves, Stacked
from bench.harness.report import Findings, Ratio
from bench.harness.rounds import in_turn, ratio
from bench.harness.synthetic_line import ROLES, Light, light

FRAMES_PER_S = 384.0
"""Of all cameras together: at 64, each has six a second."""
ONCE = (1, 16)
COMPARED = (4, 64)
ROUNDS = 2
FRAMES = 200_000
WITHIN_S = 195.0
"""So fast do that many frames pass where the machine allows it."""
LONGEST_S = 210.0
CAMERAS = 16
"""While memory is watched."""
BUSY = 0.8
"""Of the cores, and of the busiest process's one, at most while memory is watched. A line that falls behind holds what
it has fetched ahead: bounded, and no growth."""
SETTLED = 0.2
"""The first part of the frames fills caches and buffers."""
LOOK_S = 2.0


@dataclass(frozen=True, slots=True)
class Look:
    """Resident memory of the line's processes when so many frames had been inspected."""

    frames: float
    rss_mb: Mapping[str, float]
    lag_records: float = 0.0
    """Of the worker: what it is behind it has partly fetched ahead, which is memory, too."""


def measure(room: Room) -> Findings:
    """First the cost at 1, 4, 16 and 64 cameras, then memory, as fast as the machine allows without falling behind."""
    with light(room) as line:
        spans = _costs(line, room)
        per_s = _rate(line, room)
        room.say(f"growth: memory at {per_s:.0f} frames/s")
        looks = _watch_memory(line, room, per_s)
    costs = {count: [_ms_a_frame(span) for span in each] for count, each in spans.items()}
    low, high = COMPARED
    came_from = {f"cameras_{count}_cpu_ms_a_frame": statistics.median(costs[count]) for count in COMPARED}
    grown = {name: mb_per_100k(looks, (name,)) for name in (*ROLES, "broker")}
    frames = looks[-1].frames - looks[0].frames
    figures = {
        "frames_per_s": FRAMES_PER_S,
        "memory_frames_per_s": per_s,
        "memory_frames": frames,
        "memory_lag_most_records": max(look.lag_records for look in looks),
    }
    return Findings(
        [
            Ratio("cost_64_vs_4_cameras", ratio(costs[high], costs[low]), came_from),
            Ratio("memory_mb_per_100k_frames", mb_per_100k(looks, ROLES), {"frames": frames, **_named(grown)}),
        ],
        figures | _named(grown),
        {"cost by cameras: CPU ms a frame": [_row(count, spans[count]) for count in sorted(spans)]},
        [_cost_plot(spans), _memory_plot(looks)],
    )


def _costs(line: Light, room: Room) -> dict[int, list[cpu.Span]]:
    def at(count: int) -> cpu.Span:
        with line.cameras(count, FRAMES_PER_S):
            time.sleep(room.warm_s)
            span = line.span(room.span_s)
        room.say(f"growth: {count} cameras: {_ms_a_frame(span):.2f} CPU ms a frame")
        return span

    compared = in_turn({str(count): partial(at, count) for count in COMPARED}, 1 if room.quick else ROUNDS)
    once = {} if room.quick else {count: [at(count)] for count in ONCE}
    return {int(count): each for count, each in compared.items()} | once


def _rate(line: Light, room: Room) -> float:
    """At which memory is watched. Tried first: the more frames come, the more share a batch."""
    wanted_per_s = FRAMES / WITHIN_S
    with line.cameras(CAMERAS, wanted_per_s):
        time.sleep(room.warm_s)
        span = line.span(room.span_s)
    return min(wanted_per_s, possible_per_s(span, os.cpu_count() or 1))


def _ms_a_frame(span: cpu.Span) -> float:
    """Of the line; broker and Redis apart."""
    return sum(span.cpu_ms_a_frame(name) for name in ROLES)


def possible_per_s(span: cpu.Span, cores: int) -> float:
    """Frames a second that keep BUSY of the cores busy, and no process for longer than that on its one."""
    all_s = sum(span.cpu_ms_a_frame(name) for name in span.cpu_s) / 1000
    busiest_s = max(span.cpu_ms_a_frame(name) for name in ROLES) / 1000
    return BUSY * min(cores / all_s, 1 / busiest_s)


def _watch_memory(line: Light, room: Room, per_s: float) -> list[Look]:
    longest_s = 10.0 if room.quick else LONGEST_S
    looks: list[Look] = []
    with line.cameras(CAMERAS, per_s):
        time.sleep(room.warm_s)
        pids = {**line.roles.pids(), **line.servers}
        began, before = time.monotonic(), line.frames()
        while time.monotonic() - began < longest_s and (not looks or looks[-1].frames < FRAMES):
            rss_mb = {name: cpu.rss_mb(pid) for name, pid in pids.items()}
            looks.append(Look(line.frames() - before, rss_mb, line.lag_records()))
            time.sleep(LOOK_S)
    return looks


def mb_per_100k(looks: Sequence[Look], names: Sequence[str]) -> float:
    """Growth of the memory of these in 100,000 frames, once it has settled: the median of the slopes (Theil-Sen)."""
    settled = [look for look in looks if look.frames >= SETTLED * looks[-1].frames]
    memory = [sum(look.rss_mb[name] for name in names) for look in settled]
    return float(theilslopes(memory, [look.frames / 100_000 for look in settled]).slope)


def _named(grown: Mapping[str, float]) -> dict[str, float]:
    return {f"{name}_mb_per_100k_frames": value for name, value in grown.items()}


def _row(count: int, spans: Sequence[cpu.Span]) -> dict[str, object]:
    def middle(name: str) -> float:
        return statistics.median(span.cpu_ms_a_frame(name) for span in spans)

    whole = statistics.median(_ms_a_frame(span) for span in spans)
    rate = statistics.median(span.per_s("sinks") for span in spans)
    parts = {name: middle(name) for name in (*ROLES, "broker", "redis")}
    return {"cameras": count, "frames_per_s": rate, "line": whole, **parts}


def _cost_plot(spans: Mapping[int, Sequence[cpu.Span]]) -> Stacked:
    rows = {
        str(count): {name: each[-1].cpu_ms_a_frame(name) for name in ROLES} for count, each in sorted(spans.items())
    }
    return Stacked("cost_by_cameras", "The same frames from more cameras", "CPU ms a frame", rows)


def _memory_plot(looks: Sequence[Look]) -> Curves:
    points = {name: [(look.frames, look.rss_mb[name]) for look in looks] for name in ROLES}
    return Curves("memory", "Resident memory", "frames", "MB", points)
