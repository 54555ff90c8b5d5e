"""Eight to sixty-four cameras on the same two workers: throughput, and whether each camera gets its share.

The detector sleeps. The cameras' names are as people choose them, so their hashes fall on the partitions as they may.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from andon.errors import FatalError
from andon.messages import Inspection
from andon.settings import KafkaSettings
from bench.harness.context import Room
from bench.harness.plumbing import PARTITIONS, Watched, evenness, make_topics, start_workers, until, watch
from bench.harness.report import Findings
from bench.harness.roles import Roles, document
from bench.harness.synthetic_frames import feed, named

WORKERS = 2
BATCH_MS = 80.0
IDEAL_PER_S = WORKERS * 8 / (BATCH_MS / 1000)
COUNTS = (8, 16, 32, 64)
FRAMES = 960
"""Of all cameras together, there at once: five seconds' work."""
PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class Shared:
    """How a backlog of so many cameras was worked off."""

    cameras: int
    frames_per_s: float
    fairness: float
    """Jain's index over the cameras' frames, when half of all were inspected."""
    least: float
    """The worst served camera's frames by then, beside what would be its fair part."""


def measure(room: Room) -> Findings:
    """A backlog with equally many frames of each camera, at once, for each number of cameras."""
    kafka = room.servers.fresh_kafka(PARTITIONS)
    asyncio.run(make_topics(kafka))
    folder = room.new_folder("cameras")
    counts = COUNTS[::3] if room.quick else COUNTS
    with Roles(folder, document(folder, kafka, room.servers.fresh_redis())) as roles:
        start_workers(roles, WORKERS, BATCH_MS)
        shared = asyncio.run(_all(kafka, counts))
    rows = [
        {
            "cameras": each.cameras,
            "frames_per_s": each.frames_per_s,
            "fairness": each.fairness,
            "least": each.least,
        }
        for each in shared
    ]
    figures = {"workers": WORKERS, "ideal_frames_per_s": IDEAL_PER_S, "frames": FRAMES}
    return Findings((), figures, {"cameras that share two workers": rows})


async def _all(kafka: KafkaSettings, counts: Sequence[int]) -> list[Shared]:
    watched = Watched()
    async with asyncio.TaskGroup() as group:
        watching = group.create_task(watch(kafka, kafka.inspections_topic, watched.see), name="watch")
        shared = [await _one(kafka, watched, count) for count in counts]
        watching.cancel()
    return shared


async def _one(kafka: KafkaSettings, watched: Watched, count: int) -> Shared:
    before = len(watched.inspections)
    async with feed(kafka, [f"of-{count}-{name}" for name in named(count)]) as frames:
        await frames.send(FRAMES)
        await frames.settled()
    if not await until(lambda: len(watched.inspections) >= before + FRAMES, PATIENCE_S):
        raise FatalError(f"{len(watched.inspections) - before} of {FRAMES} frames of {count} cameras were inspected")
    return shared_out(count, watched.inspections[before:])


def shared_out(cameras: int, inspections: Sequence[Inspection]) -> Shared:
    """What the inspections of a backlog say; pure. The rate is of the third to the fifth tenth: all are busy."""
    ordered = sorted(inspections, key=lambda each: each.inspected_at)
    first, half = len(ordered) // 5, len(ordered) // 2
    seconds = (ordered[half].inspected_at - ordered[first].inspected_at).total_seconds()
    done = Counter(each.camera_id for each in ordered[:half])
    counts = [*done.values(), *[0] * (cameras - len(done))]
    return Shared(cameras, (half - first) / seconds, evenness(counts), min(counts) * cameras / half)
