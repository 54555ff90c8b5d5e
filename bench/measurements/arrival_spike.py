"""A hundred times the frames arrive for ten seconds. No frame may be lost, and the backlog should drain at full speed.

The frames are published straight into the topic, since no machine could run a hundred times the cameras. The detector
sleeps. The workers' capacity is measured first, with the same processes on a full topic.
"""

import asyncio
from dataclasses import dataclass

from andon.errors import FatalError
from andon.settings import KafkaSettings
from bench.harness.context import Context
from bench.harness.plots import Curves
from bench.harness.report import Findings, Ratio
from bench.harness.roles import Roles, line_document
from bench.harness.simulated_workers import PARTITIONS, make_topics, start_workers
from bench.harness.synthetic_frames import FrameFeed, evenly_placed, open_feed
from bench.harness.topic_counter import TopicCounter, count_topic, rate_per_s
from bench.harness.topic_reader import InspectionLog, read_messages, wait_until
from bench.measurements.spike_model import Lag, Spike, backlog_at, drained_at_s, ideal_drain_s, usual_lag

WORKERS = 2
BATCH_MS = 80.0
BASE_PER_S = 5.0
"""A hundred times this is two and a half times the workers' capacity."""
TICK_S = 0.02
SAMPLE_S = 0.1
SENDING_S = 5.0
"""Room for the workers' progress while the backlog is still being sent."""
PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class SpikeRun:
    """The workers' capacity, and how the lag went in the spike and after it."""

    capacity_per_s: float
    spike: Spike
    lags: list[Lag]
    sent: int
    inspected: int
    repeated: int


def measure(context: Context) -> Findings:
    """Run the spike and compare its drain time with the ideal."""
    kafka = context.servers.fresh_kafka(PARTITIONS)
    asyncio.run(make_topics(kafka))
    folder = context.new_folder("spike")
    spike = Spike(BASE_PER_S, begins_s=3.0, lasts_s=3.0 if context.quick else 10.0)
    with Roles(folder, line_document(folder, kafka, context.servers.fresh_redis())) as roles:
        start_workers(roles, WORKERS, BATCH_MS)
        return findings(asyncio.run(_run(kafka, spike, context)))


def findings(run: SpikeRun) -> Findings:
    """The ratio and its figures. Raises FatalError if the lag never fell to its usual level again."""
    spike, lags = run.spike, run.lags
    usual = usual_lag(lags, spike.begins_s)
    drained_s = drained_at_s(lags, spike.ends_s, usual)
    if drained_s is None:
        raise FatalError(f"{lags[-1].frames} frames still waited after {PATIENCE_S:.0f} s; the usual lag is {usual}")
    backlog = backlog_at(lags, spike.ends_s) - usual
    ideal_s = ideal_drain_s(backlog, run.capacity_per_s, spike.base_per_s)
    figures = {
        "capacity_frames_per_s": run.capacity_per_s,
        "arrivals_frames_per_s": spike.base_per_s,
        "spike_frames_per_s": spike.base_per_s * spike.factor,
        "backlog_frames": backlog,
        "drain_s": drained_s - spike.ends_s,
        "ideal_drain_s": ideal_s,
        "sent_frames": run.sent,
        "lost_frames": run.sent - run.inspected,
        "inspected_twice_frames": run.repeated,
    }
    points = [(lag.at_s, float(lag.frames)) for lag in lags]
    plot = Curves(
        "spike", f"{spike.factor:.0f}-fold arrivals for {spike.lasts_s:.0f} s", "s", "frames", {"lag": points}
    )
    tables = {"a spike of arrivals": [figures]}
    if run.sent != run.inspected:
        lost = {"spike_drain_vs_ideal": f"{run.sent - run.inspected} of {run.sent} frames were lost"}
        return Findings((), figures, tables, [plot], lost)
    ratio = Ratio("spike_drain_vs_ideal", figures["drain_s"] / ideal_s, figures)
    return Findings([ratio], figures, tables, [plot])


async def _run(kafka: KafkaSettings, spike: Spike, context: Context) -> SpikeRun:
    log = InspectionLog()
    async with (
        open_feed(kafka, evenly_placed(PARTITIONS, PARTITIONS)) as frames,
        count_topic(kafka, kafka.inspections_topic) as counter,
    ):
        capacity = await _capacity(frames, counter, context)
        context.say(f"the workers' capacity is {capacity:.1f} frames/s")
        lags = await _spike(frames, counter, spike)
        # only now, since reading and decoding every inspection costs more than counting them
        async with asyncio.TaskGroup() as group:
            reading = group.create_task(read_messages(kafka, kafka.inspections_topic, log.add), name="read.inspections")
            await wait_until(lambda: len(log.inspections) >= frames.sent, PATIENCE_S)
            reading.cancel()
        return SpikeRun(capacity, spike, lags, frames.sent, len(log.inspections), log.repeated)


async def _capacity(frames: FrameFeed, counter: TopicCounter, context: Context) -> float:
    """Frames a second of the workers on a backlog. Returns once the backlog is gone."""
    ideal_per_s = WORKERS * 8 / (BATCH_MS / 1000)
    count = int(ideal_per_s * (context.warm_s + context.span_s + SENDING_S))
    await frames.send(count)
    await frames.flush()
    await counter.sample(context.warm_s)
    samples = await counter.sample(context.span_s, SAMPLE_S)
    if samples[-1].total >= count:
        raise FatalError("the backlog was too short to measure the workers' capacity")
    async with asyncio.timeout(PATIENCE_S):
        while counter.now().total < count:  # noqa: ASYNC110 - another process's progress comes without an event
            await asyncio.sleep(SAMPLE_S)
    return rate_per_s(samples)


async def _spike(frames: FrameFeed, counter: TopicCounter, spike: Spike) -> list[Lag]:
    """Send frames as the spike says until the lag is as before it. Returns the lag, in seconds since the start."""
    lags: list[Lag] = []
    before = frames.sent
    begun_s = counter.clock.monotonic()

    async def arrive() -> None:
        while True:
            await frames.send(spike.due(counter.clock.monotonic() - begun_s) - (frames.sent - before))
            await asyncio.sleep(TICK_S)

    async with asyncio.TaskGroup() as group:
        arriving = group.create_task(arrive(), name="arrivals")
        while not _over(lags, spike):
            sent, sample = frames.sent, counter.now()
            lags.append(Lag(sample.at_s - begun_s, max(0, sent - sample.total)))
            await asyncio.sleep(SAMPLE_S)
        arriving.cancel()
    await frames.flush()
    return lags


def _over(lags: list[Lag], spike: Spike) -> bool:
    if not lags or lags[-1].at_s < spike.ends_s:
        return False
    return drained_at_s(lags, spike.ends_s, usual_lag(lags, spike.begins_s)) is not None or lags[-1].at_s > PATIENCE_S
