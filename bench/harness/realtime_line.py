"""A whole line with the real model whose cameras come and go: worker and sinks stay, ingest runs once for each load."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from andon.alerts import DefectAlerts
from andon.errors import FatalError
from bench.harness import clips
from bench.harness.clip_rate import paced
from bench.harness.consumer_log import Seen
from bench.harness.context import Room
from bench.harness.plumbing import PARTITIONS, until, watch
from bench.harness.roles import Roles, Samples, document
from deploy.local.interrupt import alongside
from deploy.local.line import andon

CAMERAS = 8
DRIFT = 0.02
"""The slowest and the fastest camera are so much off the mean pace."""
PATIENCE_S = 60.0
QUIET_S = 1.0
"""After the last inspection: so long for the alerts that follow from it."""


@dataclass(frozen=True, slots=True)
class Running:
    """Worker and sinks, ready. `document` is their line.yaml's, without cameras."""

    roles: Roles
    document: dict[str, Any]

    @property
    def window_ms(self) -> float:
        """How long a batch waits for more."""
        return self.roles.settings.pools["default"].batch.max_wait_ms

    def worker(self) -> Samples:
        return self.roles.metrics("worker")

    async def offer(self, name: str, frames_per_s: float, warm_s: float, span_s: float) -> Seen:
        """Let cameras deliver so many frames a second, all together; what was seen of them when all had been inspected.

        Raises FatalError where a frame was lost, or is not inspected within PATIENCE_S.
        """
        seen = Seen(f"{name}-")
        config = self._cameras(name, frames_per_s)
        kafka = self.roles.settings.kafka
        watching = (
            watch(kafka, kafka.inspections_topic, seen.see),
            watch(kafka, kafka.defects_topic, seen.hear),
            self._alerts(name, seen),
        )
        async with alongside(*watching):
            self.roles.start("ingest", whole=[*andon("ingest"), "-c", str(config)])
            await asyncio.sleep(warm_s)
            seen.begin(datetime.now(UTC), span_s)
            await asyncio.sleep(span_s)
            await asyncio.to_thread(self.roles.stop, "ingest")
            if not await until(lambda: len(seen.captured) == CAMERAS, PATIENCE_S):
                raise FatalError(f"{name}: not every camera's frames were inspected within {PATIENCE_S:.0f} s")
            await asyncio.sleep(QUIET_S)
        if seen.lost:
            raise FatalError(f"{name}: {seen.lost} frames were captured and not inspected")
        return seen

    async def _alerts(self, name: str, seen: Seen) -> None:
        redis = self.roles.settings.redis
        url = redis.url.get_secret_value()
        async with DefectAlerts(url, group=f"bench-{name}", start="beginning", prefix=redis.prefix) as stream:
            async for alert in stream:
                seen.by_redis.append((alert.defect, datetime.now(UTC)))
                await alert.ack()

    def _cameras(self, name: str, frames_per_s: float) -> Path:
        """A line.yaml with cameras that deliver so much."""
        folder = self.roles.folder / name
        folder.mkdir()
        cameras = []
        for number in range(CAMERAS):
            drift = DRIFT * (2 * number / (CAMERAS - 1) - 1)
            clip = clips.path(clips.CAMERAS[number % len(clips.CAMERAS)])
            file = paced(clip, folder / f"{number}.mp4", frames_per_s / CAMERAS * (1 + drift))
            cameras.append({"id": f"{name}-{number}", "url": str(file), "pace": "realtime", "loop": True})
        config = folder / "line.yaml"
        config.write_text(yaml.safe_dump({**self.document, "cameras": cameras}), encoding="utf-8")
        return config


@contextmanager
def running(room: Room) -> Iterator[Running]:
    """Worker and sinks started and ready, ended afterwards. Raises FatalError if they never are."""
    folder = room.new_folder("latency")
    made = document(folder, room.servers.fresh_kafka(PARTITIONS), room.servers.fresh_redis())
    with Roles(folder, made) as roles:
        roles.create_topics()
        roles.start("sinks", "sink")
        roles.start("worker", "work")
        yield Running(roles, made)
