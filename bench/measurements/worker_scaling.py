"""One to eight workers on one topic that was filled beforehand: what another worker brings.

The detector sleeps, as a GPU would let the CPU sleep, so that eight workers, their broker and this fit on two cores.
"""

import asyncio
from dataclasses import dataclass

from andon.errors import FatalError
from andon.settings import KafkaSettings
from bench.harness.context import Room
from bench.harness.plots import Curves
from bench.harness.plumbing import PARTITIONS, make_topics, start_workers
from bench.harness.report import Findings, Ratio
from bench.harness.roles import Roles, document
from bench.harness.synthetic_frames import feed, spread
from bench.harness.topic_counter import Ends, Sample, ends, rate_per_s

BATCH = 8
BATCH_MS = 160.0
IDEAL_PER_S = BATCH / (BATCH_MS / 1000)
"""Of one worker: 50 frames a second."""
JOIN_S = 15.0
"""How long the first ones may work while the last ones join."""
COUNTS = (1, 2, 4, 8)
QUICK_COUNTS = (1, 2)


@dataclass(frozen=True, slots=True)
class Filled:
    """The frames topic of `kafka` holds so many frames in each of its partitions."""

    kafka: KafkaSettings
    in_each: int


def measure(room: Room) -> Findings:
    """Frames a second of 1, 2, 4 and 8 workers, while every partition has frames left."""
    counts = QUICK_COUNTS if room.quick else COUNTS
    filled = asyncio.run(_filled(room, counts[-1]))
    rates = {}
    for count in counts:
        rates[count] = _rate_of(room, filled, count)
        room.say(f"{count} workers: {rates[count]:.1f} frames/s of {count * IDEAL_PER_S:.0f}")
    return _findings(rates)


def _findings(rates: dict[int, float]) -> Findings:
    rows = [
        {
            "workers": count,
            "frames_per_s": rate,
            "of_ideal": rate / (count * IDEAL_PER_S),
            "of_n_x_one": _part(rates, count),
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
    return Findings([Ratio("scaling_8_workers", _part(rates, 8), came_from)], figures, tables, [plot])


def _part(rates: dict[int, float], count: int) -> float:
    return rates[count] / (count * rates[1])


async def _filled(room: Room, most: int) -> Filled:
    """Enough for the most workers, from the first one's joining on."""
    kafka = room.servers.fresh_kafka(PARTITIONS)
    await make_topics(kafka)
    in_each = int(most * IDEAL_PER_S * (JOIN_S + room.warm_s + room.span_s)) // PARTITIONS
    async with feed(kafka, spread(PARTITIONS, PARTITIONS)) as frames:
        await frames.send(in_each * PARTITIONS)
        await frames.settled()
    return Filled(kafka, in_each)


def _rate_of(room: Room, filled: Filled, count: int) -> float:
    """Of so many new workers, in a group that begins at the topic's beginning."""
    kafka = room.servers.fresh_kafka(PARTITIONS).model_copy(update={"frames_topic": filled.kafka.frames_topic})
    folder = room.new_folder(f"scaling-{count}")

    async def measured() -> list[Sample]:
        await make_topics(kafka)
        start_workers(roles, count, BATCH_MS)
        async with ends(kafka, kafka.inspections_topic) as there:
            return await _steady(there, room, filled)

    with Roles(folder, document(folder, kafka, room.servers.fresh_redis())) as roles:
        return rate_per_s(asyncio.run(measured()))


async def _steady(there: Ends, room: Room, filled: Filled) -> list[Sample]:
    """Raises FatalError where a partition ran out of frames, or nobody worked on it: it is not the workers' rate."""
    await there.watched(room.warm_s)
    samples = await there.watched(room.span_s)
    for number, (first, last) in enumerate(zip(samples[0].by_partition, samples[-1].by_partition, strict=True)):
        if last >= filled.in_each:
            raise FatalError(f"partition {number} had no frames left: all {filled.in_each} were inspected")
        if last == first:
            raise FatalError(f"nobody inspected partition {number}: the group had not settled")
    return samples
