"""For ten seconds a hundred times as many frames arrive: nothing may be lost, and the backlog drains as fast as can be.

The frames are published straight into the topic: a hundredfold of cameras can't be had. The detector sleeps. What the
workers can do is measured first, in the same run: a filled topic, inspected by the same processes.
"""

import asyncio
from dataclasses import dataclass

from andon.errors import FatalError
from andon.settings import KafkaSettings
from bench.harness.context import Room
from bench.harness.plots import Curves
from bench.harness.plumbing import PARTITIONS, Watched, make_topics, start_workers, until, watch
from bench.harness.report import Findings, Ratio
from bench.harness.roles import Roles, document
from bench.harness.synthetic_frames import Feed, feed, spread
from bench.harness.topic_counter import Ends, ends, rate_per_s
from bench.measurements.spike_model import Lag, Spike, backlog_at, drained_at_s, ideal_drain_s, level

WORKERS = 2
BATCH_MS = 80.0
BASE_PER_S = 5.0
"""A hundred times that is two and a half times what the workers can do."""
TICK_S = 0.02
LOOK_S = 0.1
PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class Result:
    capacity_per_s: float
    spike: Spike
    lags: list[Lag]
    sent: int
    inspected: int
    repeated: int


def measure(room: Room) -> Findings:
    """The spike, and how long its backlog took beside the ideal."""
    kafka = room.servers.fresh_kafka(PARTITIONS)
    asyncio.run(make_topics(kafka))
    folder = room.new_folder("spike")
    spike = Spike(BASE_PER_S, begins_s=3.0, lasts_s=3.0 if room.quick else 10.0)
    with Roles(folder, document(folder, kafka, room.servers.fresh_redis())) as roles:
        start_workers(roles, WORKERS, BATCH_MS)
        return findings(asyncio.run(_run(kafka, spike, room)))


def findings(result: Result) -> Findings:
    """The ratio and where it came from. Raises FatalError where the lag never was as before again."""
    spike, lags = result.spike, result.lags
    usual = level(lags, spike.begins_s)
    drained_s = drained_at_s(lags, spike.ends_s, usual)
    if drained_s is None:
        raise FatalError(f"{lags[-1].frames} frames still waited when the patience was over, usual are {usual}")
    backlog = backlog_at(lags, spike.ends_s) - usual
    ideal_s = ideal_drain_s(backlog, result.capacity_per_s, spike.base_per_s)
    figures = {
        "capacity_frames_per_s": result.capacity_per_s,
        "arrivals_frames_per_s": spike.base_per_s,
        "spike_frames_per_s": spike.base_per_s * spike.factor,
        "backlog_frames": backlog,
        "drain_s": drained_s - spike.ends_s,
        "ideal_drain_s": ideal_s,
        "sent_frames": result.sent,
        "lost_frames": result.sent - result.inspected,
        "inspected_twice_frames": result.repeated,
    }
    points = [(lag.at_s, float(lag.frames)) for lag in lags]
    plot = Curves(
        "spike", f"{spike.factor:.0f}-fold arrivals for {spike.lasts_s:.0f} s", "s", "frames", {"lag": points}
    )
    tables = {"a spike of arrivals": [figures]}
    if result.sent != result.inspected:
        lost = {"spike_drain_vs_ideal": f"{result.sent - result.inspected} of {result.sent} frames were lost"}
        return Findings((), figures, tables, [plot], lost)
    ratio = Ratio("spike_drain_vs_ideal", figures["drain_s"] / ideal_s, figures)
    return Findings([ratio], figures, tables, [plot])


async def _run(kafka: KafkaSettings, spike: Spike, room: Room) -> Result:
    watched = Watched()
    async with feed(kafka, spread(PARTITIONS, PARTITIONS)) as frames, ends(kafka, kafka.inspections_topic) as there:
        capacity = await _capacity(frames, there, room)
        room.say(f"the workers do {capacity:.1f} frames/s")
        lags = await _spike(frames, there, spike)
        # only now: reading every inspection costs more than asking how many there are
        async with asyncio.TaskGroup() as group:
            watching = group.create_task(watch(kafka, kafka.inspections_topic, watched.see), name="watch")
            await until(lambda: len(watched.inspections) >= frames.sent, PATIENCE_S)
            watching.cancel()
        return Result(capacity, spike, lags, frames.sent, len(watched.inspections), watched.repeated)


async def _capacity(frames: Feed, there: Ends, room: Room) -> float:
    """Frames a second of the workers, from a backlog; returns when it has been worked off."""
    ideal_per_s = WORKERS * 8 / (BATCH_MS / 1000)
    count = int(ideal_per_s * (room.warm_s + room.span_s + 1.0))
    await frames.send(count)
    await frames.settled()
    await there.watched(room.warm_s)
    samples = await there.watched(room.span_s, LOOK_S)
    if samples[-1].total >= count:
        raise FatalError("the backlog was too short to measure what the workers can do")
    async with asyncio.timeout(PATIENCE_S):
        while there.now().total < count:  # noqa: ASYNC110 - what another process does can only be looked at
            await asyncio.sleep(LOOK_S)
    return rate_per_s(samples)


async def _spike(frames: Feed, there: Ends, spike: Spike) -> list[Lag]:
    """Send as the spike says until the lag is as it was; the lag all the while, in seconds since the beginning."""
    lags: list[Lag] = []
    before = frames.sent
    begun_s = there.clock.monotonic()

    async def arrive() -> None:
        while True:
            await frames.send(spike.due(there.clock.monotonic() - begun_s) - (frames.sent - before))
            await asyncio.sleep(TICK_S)

    async with asyncio.TaskGroup() as group:
        arriving = group.create_task(arrive(), name="arrivals")
        while not _over(lags, spike):
            sent, sample = frames.sent, there.now()
            lags.append(Lag(sample.at_s - begun_s, max(0, sent - sample.total)))
            await asyncio.sleep(LOOK_S)
        arriving.cancel()
    await frames.settled()
    return lags


def _over(lags: list[Lag], spike: Spike) -> bool:
    if not lags or lags[-1].at_s < spike.ends_s:
        return False
    return drained_at_s(lags, spike.ends_s, level(lags, spike.begins_s)) is not None or lags[-1].at_s > PATIENCE_S
