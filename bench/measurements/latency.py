"""Latency from capture to inspection and to alert, at 30, 70 and 95 % of the capacity of a whole line with its model.

The ratio's load runs several times, and the round with the median p99 counts: the slowest hundredth of one round shows
every second in which the machine was slow.

Files played in real time stand for cameras. Their clips run slower or faster to give the load, each at a slightly
different rate, so that they drift past one another as cameras do.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import count

from bench.harness.busy_cores import OTHER, OWN
from bench.harness.consumer_log import ConsumerLog, percentiles
from bench.harness.context import Context
from bench.harness.plots import Curves
from bench.harness.realtime_line import RealtimeLine, realtime_line
from bench.harness.report import Findings, Ratio
from bench.harness.roles import Samples
from bench.harness.rounds import Rounds
from bench.harness.tuned import ensure_tuned
from bench.measurements.line_capacity import at_capacity
from sample_streams.observer import percentile

LOADS = (0.3, 0.7, 0.95)
AIM_LOAD = 0.7


@dataclass(frozen=True, slots=True)
class LoadLatency:
    """The latencies at a fraction of the line's capacity."""

    load: float
    offered_per_s: float
    log: ConsumerLog
    window_wait_ms: float
    """The mean time from a batch's first frame until the batch closes."""

    @property
    def p99_ms(self) -> float:
        """Until the inspection. Raises ValueError if no frame was captured in the span."""
        value = percentile(self.log.to_inspection_ms, 99)
        if value is None:
            raise ValueError(f"at {self.load:.0%} no frame was captured")
        return value

    def row(self) -> dict[str, object]:
        log = self.log
        return {
            "load": f"{self.load:.0%}",
            "offered_frames_per_s": self.offered_per_s,
            "frames": len(log.in_span),
            **percentiles("inspection", log.to_inspection_ms),
            **percentiles("inspection_read", log.to_consumer_ms),
            "alerts": len(log.to_alert_ms(log.redis_alerts)),
            **percentiles("alert", log.to_alert_ms(log.redis_alerts)),
            **percentiles("kafka_alert", log.to_alert_ms(log.kafka_alerts)),
        }

    def cores(self) -> dict[str, object]:
        return cores_row(f"{self.load:.0%}", self.log)

    def batching(self) -> dict[str, object]:
        log = self.log
        return {
            "load": f"{self.load:.0%}",
            "batch_mean_frames": log.batch_mean,
            "inference_median_ms": log.inference_ms,
            "window_adds_mean_ms": self.window_wait_ms,
            **percentiles("wait_in_batcher", log.wait_ms),
        }


def measure(context: Context) -> Findings:
    """Measure the line's capacity, then the latencies at fractions of it."""
    ensure_tuned(None, context.say)
    with realtime_line(context) as line:
        full = asyncio.run(at_capacity(line, context))
        rounds = {load: _rounds_at(line, context, load, full.inspected_per_s) for load in LOADS}
        return findings(rounds, full, line.window_ms)


def _rounds_at(line: RealtimeLine, context: Context, load: float, capacity: float) -> Rounds[LoadLatency]:
    numbers = count(1)

    def measured() -> LoadLatency:
        return _measure_load(line, context, load, load * capacity, f"load{load * 100:.0f}-round{next(numbers)}")

    most = None if load == AIM_LOAD else 1
    return context.turns(most).run({f"{load:.0%}": measured}, lambda each: each.p99_ms, "p99 ms")


def _measure_load(line: RealtimeLine, context: Context, load: float, offered_per_s: float, name: str) -> LoadLatency:
    # twice as long for the ratio, which depends on the slowest hundredth
    span_s = context.span_s * (2.5 if load == AIM_LOAD else 1.25)
    before = line.worker()
    log = asyncio.run(line.offer(name, offered_per_s, context.warm_s, span_s))
    window_wait_ms = mean_ms(before, line.worker(), "andon_workers_batch_wait_seconds")
    latency = LoadLatency(load, offered_per_s, log, window_wait_ms)
    context.say(f"latency: at {load:.0%} of capacity {latency.p99_ms:.0f} ms to the inspection (p99)")
    return latency


def findings(rounds: Mapping[float, Rounds[LoadLatency]], full: ConsumerLog, window_ms: float) -> Findings:
    """The tables and the ratio at 70 % of the capacity. `rounds`: by load. `full`: of the load that was too much."""
    loads = [each.median(f"{load:.0%}") for load, each in rounds.items()]
    aim = f"{AIM_LOAD:.0%}"
    at_aim, spread = rounds[AIM_LOAD].median(aim), rounds[AIM_LOAD].spread(aim)
    came_from = {
        "capture_to_inspection_p99_ms": at_aim.p99_ms,
        "batch_window_ms": window_ms,
        "inference_median_ms": at_aim.log.inference_ms,
        "frames": float(len(at_aim.log.in_span)),
    }
    value = at_aim.p99_ms / (window_ms + at_aim.log.inference_ms)
    ratio = Ratio("p99_vs_window_plus_inference", value, came_from, spread)
    points = {f"{latency.load:.0%} of capacity": _curve(latency.log.to_inspection_ms) for latency in loads}
    tables = {
        "latency, by load": [latency.row() for latency in loads],
        "latency: what batching adds": [latency.batching() for latency in loads],
        "latency: cores kept busy": [*(latency.cores() for latency in loads), cores_row("too much", full)],
        "latency: rounds": rounds[AIM_LOAD].rows(),
    }
    plot = Curves("latency", "Capture to inspection", "% of frames", "ms", points)
    return Findings(
        [ratio], {"capacity_frames_per_s": full.inspected_per_s, "batch_window_ms": window_ms}, tables, [plot]
    )


def cores_row(load: str, log: ConsumerLog) -> dict[str, object]:
    """A frame costs the more, the fewer frames share a fetch, a batch and a request: so 70 % of the capacity takes more
    than 70 % of the cores."""
    line = sum(cores for name, cores in log.cores.items() if name not in (OWN, OTHER))
    return {"load": load, "line_ms_a_frame": 1000 * line / log.inspected_per_s, **log.cores}


def _curve(values_ms: Sequence[float]) -> list[tuple[float, float]]:
    """A point for each percentile, and for each tenth of the last one."""
    percents = [*map(float, range(1, 99)), *(99 + tenth / 10 for tenth in range(11))]
    return [(percent, percentile(values_ms, percent) or 0.0) for percent in percents]


def mean_ms(before: Samples, after: Samples, name: str) -> float:
    """The mean of the observations that a histogram of seconds added between two scrapes."""
    count = after.get(f"{name}_count", 0.0) - before.get(f"{name}_count", 0.0)
    return 1000 * (after.get(f"{name}_sum", 0.0) - before.get(f"{name}_sum", 0.0)) / count if count else 0.0
