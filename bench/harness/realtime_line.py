"""A whole line with the real model. Worker and sinks stay up; ingest starts anew, with new cameras, for each load."""

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
from bench.harness.busy_cores import busy_cores, read
from bench.harness.clip_rate import at_rate
from bench.harness.consumer_log import ConsumerLog
from bench.harness.context import Context
from bench.harness.roles import Roles, Samples, line_document
from bench.harness.simulated_workers import PARTITIONS
from bench.harness.topic_reader import read_messages, wait_until
from deploy.local.interrupt import alongside
from deploy.local.line import andon

CAMERAS = 8
DRIFT = 0.02
"""How far the slowest and the fastest camera are from the mean rate, as a fraction."""
PATIENCE_S = 60.0
QUIET_S = 1.0
"""How long to wait for alerts after the last inspection."""


@dataclass(frozen=True, slots=True)
class RealtimeLine:
    """Worker and sinks, ready. `document` is their line.yaml without cameras."""

    roles: Roles
    document: dict[str, Any]
    servers: dict[str, int]
    """Name -> pid."""

    @property
    def window_ms(self) -> float:
        """The longest that a batch waits for more frames."""
        return self.roles.settings.pools["default"].batch.max_wait_ms

    def worker(self) -> Samples:
        return self.roles.metrics("worker")

    async def offer(self, name: str, frames_per_s: float, warm_s: float, span_s: float) -> ConsumerLog:
        """Let the cameras together deliver `frames_per_s`. Returns the log once every frame is inspected.

        Raises FatalError if a frame is lost or is not inspected within PATIENCE_S.
        """
        log = ConsumerLog(f"{name}-")
        config = self._cameras(name, frames_per_s)
        kafka = self.roles.settings.kafka
        readers = (
            read_messages(kafka, kafka.inspections_topic, log.add_inspection),
            read_messages(kafka, kafka.defects_topic, log.add_defect),
            self._read_alerts(name, log),
        )
        async with alongside(*readers):
            self.roles.start("ingest", whole=[*andon("ingest"), "-c", str(config)])
            await asyncio.sleep(warm_s)
            first = read(self._pids())
            log.set_span(datetime.now(UTC), span_s)
            await asyncio.sleep(span_s)
            log.cores = busy_cores(first, read(self._pids()))
            await asyncio.to_thread(self.roles.stop, "ingest")
            if not await wait_until(lambda: len(log.captured) == CAMERAS, PATIENCE_S):
                raise FatalError(f"{name}: not every camera's frames were inspected within {PATIENCE_S:.0f} s")
            await asyncio.sleep(QUIET_S)
        if log.lost:
            raise FatalError(f"{name}: {log.lost} frames were captured and not inspected")
        return log

    def _pids(self) -> dict[str, int]:
        return {**self.roles.pids(), **self.servers}

    async def _read_alerts(self, name: str, log: ConsumerLog) -> None:
        redis = self.roles.settings.redis
        url = redis.url.get_secret_value()
        async with DefectAlerts(url, group=f"bench-{name}", start="beginning", prefix=redis.prefix) as stream:
            async for alert in stream:
                log.redis_alerts.append((alert.defect, datetime.now(UTC)))
                await alert.ack()

    def _cameras(self, name: str, frames_per_s: float) -> Path:
        """Write a line.yaml whose cameras together deliver `frames_per_s`.

        It is always the same file, so that the line's registry drops the cameras of the load before.
        """
        folder = self.roles.folder / name
        folder.mkdir()
        cameras = []
        for number in range(CAMERAS):
            drift = DRIFT * (2 * number / (CAMERAS - 1) - 1)
            clip = clips.path(clips.CAMERAS[number % len(clips.CAMERAS)])
            file = at_rate(clip, folder / f"{number}.mp4", frames_per_s / CAMERAS * (1 + drift))
            one = {"url": str(file), "pace": "realtime", "loop": True, "encoding": "passthrough"}
            cameras.append({"id": f"{name}-{number}", **one})
        config = self.roles.folder / "cameras.yaml"
        config.write_text(yaml.safe_dump({**self.document, "cameras": cameras}), encoding="utf-8")
        return config


@contextmanager
def realtime_line(context: Context) -> Iterator[RealtimeLine]:
    """Start worker and sinks, and end them afterwards. Raises FatalError if they do not get ready."""
    folder = context.new_folder("latency")
    document = line_document(folder, context.servers.fresh_kafka(PARTITIONS), context.servers.fresh_redis())
    with Roles(folder, document) as roles:
        roles.create_topics()
        roles.start("sinks", "sink")
        roles.start("worker", "work")
        yield RealtimeLine(roles, document, dict(context.servers.pids))
