"""Eight to sixty-four cameras on the same two workers: throughput, and whether each camera gets its share.

The detector sleeps. The cameras have names as people choose them, so that their hashes may share the partitions out
unevenly.
"""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from andon.errors import FatalError
from andon.messages import Inspection
from andon.settings import KafkaSettings
from bench.harness.context import Context
from bench.harness.report import Findings
from bench.harness.roles import Roles, line_document
from bench.harness.simulated_workers import PARTITIONS, make_topics, start_workers
from bench.harness.synthetic_frames import camera_ids, open_feed
from bench.harness.topic_reader import InspectionLog, read_messages, wait_until

WORKERS = 2
BATCH_MS = 80.0
IDEAL_PER_S = WORKERS * 8 / (BATCH_MS / 1000)
COUNTS = (8, 16, 32, 64)
FRAMES = 960
"""Of all cameras together, published at once: five seconds' work."""
PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class CameraShares:
    """How the workers shared a backlog out among `cameras` cameras."""

    cameras: int
    frames_per_s: float
    fairness: float
    """Jain's index over the frames inspected for each camera when half of all were done."""
    least: float
    """The worst served camera's frames by then ÷ its fair share."""


def measure(context: Context) -> Findings:
    """For each number of cameras, inspect a backlog with the same number of frames from each."""
    kafka = context.servers.fresh_kafka(PARTITIONS)
    asyncio.run(make_topics(kafka))
    folder = context.new_folder("cameras")
    counts = COUNTS[::3] if context.quick else COUNTS
    with Roles(folder, line_document(folder, kafka, context.servers.fresh_redis())) as roles:
        start_workers(roles, WORKERS, BATCH_MS)
        shared = asyncio.run(_measure_all(kafka, counts))
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


async def _measure_all(kafka: KafkaSettings, counts: Sequence[int]) -> list[CameraShares]:
    log = InspectionLog()
    async with asyncio.TaskGroup() as group:
        reading = group.create_task(read_messages(kafka, kafka.inspections_topic, log.add), name="read.inspections")
        shared = [await _measure_one(kafka, log, count) for count in counts]
        reading.cancel()
    return shared


async def _measure_one(kafka: KafkaSettings, log: InspectionLog, count: int) -> CameraShares:
    before = len(log.inspections)
    async with open_feed(kafka, [f"of-{count}-{name}" for name in camera_ids(count)]) as frames:
        await frames.send(FRAMES)
        await frames.flush()
    if not await wait_until(lambda: len(log.inspections) >= before + FRAMES, PATIENCE_S):
        raise FatalError(f"{len(log.inspections) - before} of {FRAMES} frames of {count} cameras were inspected")
    return camera_shares(count, log.inspections[before:])


def camera_shares(cameras: int, inspections: Sequence[Inspection]) -> CameraShares:
    """Evaluate the inspections of a backlog (pure). The rate is of the third to fifth tenth, when all are busy."""
    ordered = sorted(inspections, key=lambda each: each.inspected_at)
    first, half = len(ordered) // 5, len(ordered) // 2
    seconds = (ordered[half].inspected_at - ordered[first].inspected_at).total_seconds()
    done = Counter(each.camera_id for each in ordered[:half])
    counts = [*done.values(), *[0] * (cameras - len(done))]
    return CameraShares(cameras, (half - first) / seconds, jain_index(counts), min(counts) * cameras / half)


def jain_index(counts: Sequence[float]) -> float:
    """How fairly something is shared (Jain's index): 1 if all have the same, 1/n if one has all.

    Source: Jain, Chiu, Hawe, "A quantitative measure of fairness", DEC-TR-301 (1984).
    """
    squares = sum(count * count for count in counts)
    return sum(counts) ** 2 / (len(counts) * squares) if squares else 0.0
