"""One worker and eight on one full topic: how much each further worker adds.

The detector sleeps, as a CPU does while a GPU works, so that eight workers, broker and bench fit on two cores.
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
from bench.harness.synthetic_frames import evenly_placed, open_feed
from bench.harness.topic_counter import Sample, TopicCounter, count_topic, rate_per_s

BATCH = 8
BATCH_MS = 160.0
IDEAL_PER_S = BATCH / (BATCH_MS / 1000)
"""Of one worker: 50 frames a second."""
JOIN_S = 15.0
"""How long the first workers may work while the last ones join."""
COUNTS = (1, 8)
QUICK_COUNTS = (1, 2)


@dataclass(frozen=True, slots=True)
class Backlog:
    """The frames topic of `kafka` holds `in_each` frames in each partition."""

    kafka: KafkaSettings
    in_each: int


def measure(context: Context) -> Findings:
    """Measure frames a second of each number of workers while every partition has frames left."""
    counts = QUICK_COUNTS if context.quick else COUNTS
    backlog = asyncio.run(_make_backlog(context, counts[-1]))
    rates = {}
    for count in counts:
        rates[count] = _rate_of(context, backlog, count)
        context.say(f"{count} workers: {rates[count]:.1f} frames/s of {count * IDEAL_PER_S:.0f}")
    return _findings(rates)


def _findings(rates: dict[int, float]) -> Findings:
    rows = [
        {
            "workers": count,
            "frames_per_s": rate,
            "of_ideal": rate / (count * IDEAL_PER_S),
            "of_n_x_one": _of_ideal(rates, count),
        }
        for count, rate in rates.items()
    ]
    points = {"measured": list(rates.items()), "n x one": [(count, count * rates[1]) for count in rates]}
    plot = Curves("scaling", "Workers whose detector sleeps", "workers", "frames/s", points)
    figures = {"batch_ms": BATCH_MS, "batch_frames": BATCH, "partitions": PARTITIONS}
    tables = {"scaling: workers with a detector that sleeps": rows}
    if 8 not in rates:
        return Findings((), figures, tables, [plot])  # a quick run stops before
    came_from = {f"workers_{count}_frames_per_s": rate for count, rate in rates.items()}
    return Findings([Ratio("scaling_8_workers", _of_ideal(rates, 8), came_from)], figures, tables, [plot])


def _of_ideal(rates: dict[int, float], count: int) -> float:
    return rates[count] / (count * rates[1])


async def _make_backlog(context: Context, most: int) -> Backlog:
    """Publish enough frames for the most workers, from the moment when the first one joins."""
    kafka = context.servers.fresh_kafka(PARTITIONS)
    await make_topics(kafka)
    in_each = int(most * IDEAL_PER_S * (JOIN_S + context.warm_s + context.span_s)) // PARTITIONS
    async with open_feed(kafka, evenly_placed(PARTITIONS, PARTITIONS)) as frames:
        await frames.send(in_each * PARTITIONS)
        await frames.flush()
    return Backlog(kafka, in_each)


def _rate_of(context: Context, backlog: Backlog, count: int) -> float:
    """The rate of `count` new workers in a new group, which starts at the topic's first record."""
    kafka = context.servers.fresh_kafka(PARTITIONS).model_copy(update={"frames_topic": backlog.kafka.frames_topic})
    folder = context.new_folder(f"scaling-{count}")

    async def samples() -> list[Sample]:
        await make_topics(kafka)
        start_workers(roles, count, BATCH_MS)
        async with count_topic(kafka, kafka.inspections_topic) as counter:
            return await _sample_steady(counter, context, backlog)

    with Roles(folder, line_document(folder, kafka, context.servers.fresh_redis())) as roles:
        return rate_per_s(asyncio.run(samples()))


async def _sample_steady(counter: TopicCounter, context: Context, backlog: Backlog) -> list[Sample]:
    """Raises FatalError if a partition ran out of frames or had no worker: the samples are not the workers' rate."""
    await counter.sample(context.warm_s)
    samples = await counter.sample(context.span_s)
    for number, (first, last) in enumerate(zip(samples[0].by_partition, samples[-1].by_partition, strict=True)):
        if last >= backlog.in_each:
            raise FatalError(f"partition {number} had no frames left: all {backlog.in_each} were inspected")
        if last == first:
            raise FatalError(f"nobody inspected partition {number}: the group had not settled")
    return samples
