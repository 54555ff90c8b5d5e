"""A whole line whose detector sleeps and whose pictures are small, so that a frame costs only Andon's own work.

Folders of images stand for cameras, so that there can be any number at any rate. Worker and sinks stay up; ingest
starts anew for each load.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from bench.harness.context import Context
from bench.harness.roles import Roles, line_document
from bench.harness.simulated_workers import PARTITIONS, start_workers
from bench.harness.synthetic_frames import camera_ids, pictures
from deploy.local import cpu
from deploy.local.line import andon

BATCH_MS = 4.0
"""Allows two thousand frames a second: the detector limits nothing."""
IMAGES = 250
ROLES = ("ingest", "worker-1", "sinks")


@dataclass(frozen=True, slots=True)
class SyntheticLine:
    """Worker and sinks, ready. `document` is their line.yaml without cameras; `images` is a folder."""

    roles: Roles
    document: dict[str, Any]
    images: Path
    servers: dict[str, int]
    """Name -> pid."""

    @contextmanager
    def cameras(self, count: int, frames_per_s: float) -> Iterator[None]:
        """Run `count` cameras that together deliver `frames_per_s` in real time.

        Their file is always the same one, so that the line's registry drops the cameras of the call before.
        """
        one = {"url": str(self.images), "image_fps": frames_per_s / count, "pace": "realtime", "loop": True}
        cameras = [{"id": name, **one} for name in camera_ids(count)]
        config = self.roles.folder / "cameras.yaml"
        config.write_text(yaml.safe_dump({**self.document, "cameras": cameras}), encoding="utf-8")
        self.roles.start("ingest", whole=[*andon("ingest"), "-c", str(config)])
        yield
        self.roles.stop("ingest")

    def frames(self) -> float:
        """The frames inspected so far."""
        return self.roles.metrics("worker-1").get("andon_workers_frames_inspected_total", 0.0)

    def lag_records(self) -> float:
        """How many records the worker has yet to read."""
        return self.roles.metrics("worker-1").get("andon_stage_lag_records", 0.0)

    def mark(self) -> cpu.Mark:
        """The CPU of all processes, with the line's frames for each."""
        pids = {**self.roles.pids(), **self.servers}
        return cpu.mark(pids, dict.fromkeys(pids, self.frames()))

    def span(self, seconds: float) -> cpu.CpuSpan:
        first = self.mark()
        time.sleep(seconds)
        return cpu.between(first, self.mark())


@contextmanager
def synthetic_line(context: Context) -> Iterator[SyntheticLine]:
    """Start worker and sinks, and end them afterwards. Raises FatalError if they do not get ready."""
    folder = context.new_folder("light")
    document = line_document(folder, context.servers.fresh_kafka(PARTITIONS), context.servers.fresh_redis())
    images = folder / "images"
    images.mkdir()
    for number, picture in enumerate(pictures(IMAGES)):
        (images / f"{number:04}.jpg").write_bytes(picture)
    with Roles(folder, document) as roles:
        roles.create_topics()
        roles.start("sinks", "sink")
        start_workers(roles, 1, BATCH_MS)
        yield SyntheticLine(roles, document, images, dict(context.servers.pids))
