"""A hundred times the frames arrive, and `andon up --workers 1..4` follows: how long the spike takes, and what is lost.

Supervisor and scaling loop are the line's own; the detector sleeps, so that four workers fit on two cores. The ideal is
that all four workers had been started with the first frame of the spike: they take the time to start that they took
here, and then inspect as fast as their detectors sleep.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from andon.errors import FatalError
from andon.messages import Inspection
from andon.settings import KafkaSettings
from bench.harness.context import Context
from bench.harness.plots import Curves
from bench.harness.report import Findings, Ratio
from bench.harness.roles import Roles, line_document
from bench.harness.scaled_workers import Change, ScaledWorkers, scaled_workers
from bench.harness.simulated_workers import PARTITIONS, make_topics
from bench.harness.synthetic_frames import FrameFeed, evenly_placed, open_feed
from bench.harness.topic_counter import TopicCounter, count_topic
from bench.harness.topic_reader import InspectionLog, read_messages, wait_until
from bench.measurements.spike_model import Lag, Spike, drained_at_s, usual_lag
from sample_streams.observer import percentile

KEYS = ("spike_scaled_drain_vs_ideal", "spike_scaled_p99_after_s")
MOST = 4
BATCH, BATCH_MS = 8, 160.0
WORKER_PER_S = BATCH / (BATCH_MS / 1000)
"""50 frames a second."""
BASE_PER_S = 5.0
DOWN_WINDOW_S = 8.0
"""In place of the 300 s of a line: nobody waits five minutes for a bench."""
AFTER_S = 5.0
"""How long the line is watched once a single worker is left."""
STEP_S = 5
"""Of the table over time."""
TICK_S, SAMPLE_S = 0.02, 0.1
PATIENCE_S = 150.0


@dataclass(frozen=True, slots=True)
class ScaledRun:
    """How the spike went; times in seconds since the base load began."""

    spike: Spike
    lags: Sequence[Lag]
    changes: Sequence[Change]
    start_s: float
    """What a worker took to start."""
    sent: int
    inspections: Sequence[Inspection]
    repeated: int
    begun: datetime
    died: int


def measure(context: Context) -> Findings:
    kafka = context.servers.fresh_kafka(PARTITIONS)
    asyncio.run(make_topics(kafka))
    folder = context.new_folder("scaled-spike")
    document = line_document(folder, kafka, context.servers.fresh_redis())
    document["pools"]["default"]["scaling"] = {"down_window_s": DOWN_WINDOW_S}
    spike = Spike(BASE_PER_S, begins_s=4.0, lasts_s=5.0 if context.quick else 12.0)
    with Roles(folder, document) as roles:  # it writes line.yaml
        return findings(asyncio.run(_run(kafka, spike, roles, context)))


async def _run(kafka: KafkaSettings, spike: Spike, roles: Roles, context: Context) -> ScaledRun:
    log = InspectionLog()
    async with (
        open_feed(kafka, evenly_placed(PARTITIONS, PARTITIONS)) as frames,
        count_topic(kafka, kafka.inspections_topic) as counter,
        scaled_workers(roles.config, MOST, BATCH_MS, counter.clock) as workers,
    ):
        begun, begun_s = datetime.now(UTC), counter.clock.monotonic()
        lags = await _followed(frames, counter, spike, workers)
        context.say(" -> ".join(f"{each.workers} at {each.at_s - begun_s:.1f} s" for each in workers.changes))
        async with asyncio.TaskGroup() as group:
            reading = group.create_task(read_messages(kafka, kafka.inspections_topic, log.add), name="read.inspections")
            await wait_until(lambda: len(log.inspections) >= frames.sent, PATIENCE_S)
            reading.cancel()
        changes = [Change(max(0.0, each.at_s - begun_s), each.workers) for each in workers.changes]
        inspections = tuple(log.inspections)
        return ScaledRun(
            spike, lags, changes, workers.slowest_start_s, frames.sent, inspections, log.repeated, begun, workers.died
        )


async def _followed(frames: FrameFeed, counter: TopicCounter, spike: Spike, workers: ScaledWorkers) -> list[Lag]:
    """Send frames as the spike says until one worker is left and AFTER_S have gone by. Returns the lag over time."""
    lags: list[Lag] = []
    begun_s = counter.clock.monotonic()

    async def arrive() -> None:
        while True:
            await frames.send(spike.due(counter.clock.monotonic() - begun_s) - frames.sent)
            await asyncio.sleep(TICK_S)

    alone_s: float | None = None
    async with asyncio.TaskGroup() as group:
        arriving = group.create_task(arrive(), name="arrivals")
        while alone_s is None or lags[-1].at_s < alone_s + AFTER_S:
            sent, sample = frames.sent, counter.now()
            lags.append(Lag(sample.at_s - begun_s, max(0, sent - sample.total)))
            if alone_s is None and lags[-1].at_s > spike.ends_s and workers.now == 1:
                alone_s = lags[-1].at_s
            if lags[-1].at_s > PATIENCE_S:
                raise FatalError(f"after {PATIENCE_S:.0f} s: {workers.now} workers and {lags[-1].frames} frames waited")
            await asyncio.sleep(SAMPLE_S)
        arriving.cancel()
    await frames.flush()
    return lags


def ideal_s(spike: Spike, start_s: float) -> float:
    """From the spike's begin until the lag is gone, with one worker at work and all others started at that moment."""
    full_per_s = MOST * WORKER_PER_S
    missed = (MOST - 1) * WORKER_PER_S * start_s
    frames = spike.base_per_s * (spike.factor - 1) * spike.lasts_s
    return max(spike.lasts_s, (frames + missed) / (full_per_s - spike.base_per_s))


def findings(run: ScaledRun) -> Findings:
    """Raises FatalError if the lag never fell to its usual level again."""
    spike, end_s = run.spike, run.lags[-1].at_s
    drained_s = drained_at_s(run.lags, spike.ends_s, usual_lag(run.lags, spike.begins_s))
    if drained_s is None:
        raise FatalError(f"{run.lags[-1].frames} frames still waited {end_s - spike.ends_s:.0f} s after the spike")
    ideal, took_s = ideal_s(spike, run.start_s), drained_s - spike.begins_s
    added_s = [each.at_s for each in run.changes if each.at_s > spike.begins_s]
    figures: dict[str, float] = {
        "spike_frames_per_s": spike.base_per_s * spike.factor,
        "spike_s": spike.lasts_s,
        "first_change_after_s": added_s[0] - spike.begins_s if added_s else 0.0,
        "worker_start_s": run.start_s,
        "drained_after_s": took_s,
        "ideal_s": ideal,
        "p99_before_s": wait_s(run, 0.0, spike.begins_s),
        "longest_wait_s": wait_s(run, 0.0, end_s, 100),
        "p99_after_s": wait_s(run, drained_s, end_s),
        "longest_wait_after_s": wait_s(run, drained_s, end_s, 100),
        "sent_frames": run.sent,
        "lost_frames": run.sent - len(run.inspections),
        "inspected_twice_frames": run.repeated,
    }
    rows = [{"a spike that workers follow": name, "value": value} for name, value in figures.items()]
    tables = {"scaled": rows, "workers over time": over_time(run)}
    title = f"{spike.factor:.0f}-fold arrivals for {spike.lasts_s:.0f} s, and 1 to {MOST} workers"
    plots = [
        Curves("scaled_spike", title, "s", "frames", {"lag": [(lag.at_s, float(lag.frames)) for lag in run.lags]}),
        Curves("scaled_spike_workers", title, "s", "workers", {"workers": _steps(run.changes, end_s)}),
    ]
    if reason := failure(run):
        return Findings((), figures, tables, plots, dict.fromkeys(KEYS, reason))
    ratios = [Ratio(KEYS[0], took_s / ideal, figures), Ratio(KEYS[1], figures["p99_after_s"], figures)]
    return Findings(ratios, figures, tables, plots)


def failure(run: ScaledRun) -> str:
    """Why the run proves nothing; empty: it does."""
    lost, counts = run.sent - len(run.inspections), [each.workers for each in run.changes]
    if lost:
        return f"{lost} of {run.sent} frames were lost"
    if run.died:
        return f"{run.died} workers died"
    if counts[0] != 1 or max(counts) != MOST or counts[-1] != 1:
        return f"the workers went {' -> '.join(map(str, counts))}, not 1 -> {MOST} -> 1"
    return ""


def wait_s(run: ScaledRun, from_s: float, to_s: float, percent: float = 99) -> float:
    """From capture to inspection, of the frames captured in a span: the value that `percent` of them don't exceed."""
    first, last = run.begun + timedelta(seconds=from_s), run.begun + timedelta(seconds=to_s)
    waits = [each.inspected_at - each.captured_at for each in run.inspections if first <= each.captured_at < last]
    return percentile([wait.total_seconds() for wait in waits], percent) or 0.0


def over_time(run: ScaledRun) -> list[dict[str, object]]:
    """A row every STEP_S."""
    end_s = run.lags[-1].at_s
    steps = range(0, int(end_s), STEP_S)
    return [
        {
            "at_s": at_s,
            "workers": [each.workers for each in run.changes if each.at_s <= at_s][-1],
            "lag": next((lag.frames for lag in run.lags if lag.at_s >= at_s), 0),
            "longest_wait_s": wait_s(run, at_s, at_s + STEP_S, 100),
        }
        for at_s in steps
    ]


def _steps(changes: Sequence[Change], end_s: float) -> list[tuple[float, float]]:
    """The corners of the curve."""
    ends = [*(each.at_s for each in changes[1:]), end_s]
    pairs = zip(changes, ends, strict=True)
    return [(at_s, float(each.workers)) for each, to_s in pairs for at_s in (each.at_s, to_s)]
