"""A whole line whose detector sleeps and whose pictures are small: a frame costs what Andon itself does with it.

Folders of images stand for cameras: any number of them at any rate. Worker and sinks stay, ingest runs once for each.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from bench.harness import cpu
from bench.harness.context import Room
from bench.harness.plumbing import PARTITIONS, start_workers
from bench.harness.roles import Roles, document
from bench.harness.synthetic_frames import named, pictures
from deploy.local.line import andon

BATCH_MS = 4.0
"""Two thousand frames a second: the detector is in nobody's way."""
IMAGES = 250
ROLES = ("ingest", "worker-1", "sinks")


@dataclass(frozen=True, slots=True)
class Light:
    """Worker and sinks, ready. `document` is their line.yaml's, without cameras; `images` a folder."""

    roles: Roles
    document: dict[str, Any]
    images: Path
    servers: dict[str, int]
    """Their pids."""

    @contextmanager
    def cameras(self, count: int, frames_per_s: float) -> Iterator[None]:
        """So many cameras that deliver so many frames a second, all together, in real time."""
        one = {"url": str(self.images), "image_fps": frames_per_s / count, "pace": "realtime", "loop": True}
        cameras = [{"id": name, **one} for name in named(count)]
        config = self.roles.folder / f"cameras-{count}.yaml"
        config.write_text(yaml.safe_dump({**self.document, "cameras": cameras}), encoding="utf-8")
        self.roles.start("ingest", whole=[*andon("ingest"), "-c", str(config)])
        yield
        self.roles.stop("ingest")

    def frames(self) -> float:
        """Inspected so far."""
        return self.roles.metrics("worker-1").get("andon_workers_frames_inspected_total", 0.0)

    def lag_records(self) -> float:
        """How far the worker is behind."""
        return self.roles.metrics("worker-1").get("andon_stage_lag_records", 0.0)

    def mark(self) -> cpu.Mark:
        """CPU of all processes, each beside the line's frames."""
        pids = {**self.roles.pids(), **self.servers}
        return cpu.mark(pids, dict.fromkeys(pids, self.frames()))

    def span(self, seconds: float) -> cpu.Span:
        first = self.mark()
        time.sleep(seconds)
        return cpu.between(first, self.mark())


@contextmanager
def light(room: Room) -> Iterator[Light]:
    """Worker and sinks started and ready, ended afterwards. Raises FatalError if they never are."""
    folder = room.new_folder("light")
    made = document(folder, room.servers.fresh_kafka(PARTITIONS), room.servers.fresh_redis())
    images = folder / "images"
    images.mkdir()
    for number, picture in enumerate(pictures(IMAGES)):
        (images / f"{number:04}.jpg").write_bytes(picture)
    with Roles(folder, made) as roles:
        roles.create_topics()
        roles.start("sinks", "sink")
        start_workers(roles, 1, BATCH_MS)
        yield Light(roles, made, images, dict(room.servers.pids))
