"""From capture to inspection and to alert, at 30, 70 and 95 % of what the line can do: the whole line, the real model.

Files in real time stand for cameras. Their clips are played slower or faster, so that the load is what it shall be, and
each at a slightly other pace, so that they drift past one another as cameras do.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from bench.harness.consumer_log import Seen, percentiles
from bench.harness.context import Room
from bench.harness.plots import Curves
from bench.harness.realtime_line import Running, running
from bench.harness.report import Findings, Ratio
from bench.harness.roles import Samples
from bench.measurements.line_capacity import capacity_per_s
from sample_streams.observer import percentile

LOADS = (0.3, 0.7, 0.95)
AIMED_AT = 0.7


@dataclass(frozen=True, slots=True)
class Latency:
    """What was seen at a part of the line's capacity."""

    load: float
    offered_per_s: float
    seen: Seen
    window_wait_ms: float
    """From a batch's first frame to its closing, on average."""

    @property
    def p99_ms(self) -> float:
        """To the inspection. Raises ValueError where no frame was captured in the span."""
        value = percentile(self.seen.to_inspection_ms, 99)
        if value is None:
            raise ValueError(f"at {self.load:.0%} no frame was captured")
        return value

    def row(self) -> dict[str, object]:
        seen = self.seen
        return {
            "load": f"{self.load:.0%}",
            "offered_frames_per_s": self.offered_per_s,
            "frames": len(seen.spanned),
            **percentiles("inspection", seen.to_inspection_ms),
            **percentiles("inspection_read", seen.to_consumer_ms),
            "alerts": len(seen.to_alert_ms(seen.by_redis)),
            **percentiles("alert", seen.to_alert_ms(seen.by_redis)),
            **percentiles("kafka_alert", seen.to_alert_ms(seen.by_kafka)),
        }

    def batching(self) -> dict[str, object]:
        seen = self.seen
        return {
            "load": f"{self.load:.0%}",
            "batch_mean_frames": seen.batch_mean,
            "inference_median_ms": seen.inference_ms,
            "window_adds_mean_ms": self.window_wait_ms,
            **percentiles("wait_in_batcher", seen.wait_ms),
        }


def measure(room: Room) -> Findings:
    """What the line can do, then how late everything is at parts of that."""
    with running(room) as line:
        capacity = asyncio.run(capacity_per_s(line, room))
        loads = [_at(line, room, load, capacity) for load in LOADS]
        return findings(loads, capacity, line.window_ms)


def _at(line: Running, room: Room, load: float, capacity: float) -> Latency:
    span_s = room.span_s * (2.5 if load == AIMED_AT else 1.25)  # its ratio hangs on the slowest hundredth
    before = line.worker()
    seen = asyncio.run(line.offer(f"load{load * 100:.0f}", load * capacity, room.warm_s, span_s))
    latency = Latency(load, load * capacity, seen, mean_ms(before, line.worker(), "andon_workers_batch_wait_seconds"))
    room.say(f"latency: at {load:.0%} of capacity {latency.p99_ms:.0f} ms to the inspection (p99)")
    return latency


def findings(loads: Sequence[Latency], capacity_per_s: float, window_ms: float) -> Findings:
    """The tables, and the ratio at 70 %."""
    aimed = next(latency for latency in loads if latency.load == AIMED_AT)
    came_from = {
        "capture_to_inspection_p99_ms": aimed.p99_ms,
        "batch_window_ms": window_ms,
        "inference_median_ms": aimed.seen.inference_ms,
        "frames": float(len(aimed.seen.spanned)),
    }
    ratio = Ratio("p99_vs_window_plus_inference", aimed.p99_ms / (window_ms + aimed.seen.inference_ms), came_from)
    points = {f"{latency.load:.0%} of capacity": _curve(latency.seen.to_inspection_ms) for latency in loads}
    tables = {
        "latency, by load": [latency.row() for latency in loads],
        "latency: what batching adds": [latency.batching() for latency in loads],
    }
    plot = Curves("latency", "Capture to inspection", "% of frames", "ms", points)
    return Findings([ratio], {"capacity_frames_per_s": capacity_per_s, "batch_window_ms": window_ms}, tables, [plot])


def _curve(values_ms: Sequence[float]) -> list[tuple[float, float]]:
    """Every percentile, of the last one every tenth."""
    percents = [*map(float, range(1, 99)), *(99 + tenth / 10 for tenth in range(11))]
    return [(percent, percentile(values_ms, percent) or 0.0) for percent in percents]


def mean_ms(before: Samples, after: Samples, name: str) -> float:
    """Of what a histogram of seconds took in between."""
    count = after.get(f"{name}_count", 0.0) - before.get(f"{name}_count", 0.0)
    return 1000 * (after.get(f"{name}_sum", 0.0) - before.get(f"{name}_sum", 0.0)) / count if count else 0.0
