"""The whole line over the clips, as fast as it goes, and all that it said: inspections, defects and verdicts."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, select

from andon.errors import DecodeError
from andon.events import silent
from andon.messages import Defect, Inspection, PartVerdict
from andon.settings import KafkaSettings, Settings
from andon.wire import Record, decode
from bench.accuracy.line_clips import Watched
from bench.harness.context import Room
from bench.harness.file_line import work_off
from bench.harness.roles import Roles, document
from deploy.local.demo.watch import records
from sinks.store import tables

SLOWEST_FPS = 20.0
"""Below this many frames a second something hangs."""
READ_S = 300.0


@dataclass(frozen=True, slots=True)
class Said:
    """Everything that the line told of one run."""

    inspections: tuple[Inspection, ...]
    defects: tuple[Defect, ...]
    """Each as it was last."""
    verdicts: tuple[PartVerdict, ...]


def run(room: Room, watched: Sequence[Watched]) -> Said:
    """From files to verdicts: every frame of every clip, none of them left out."""
    folder = room.new_folder("accuracy")
    made = line(folder, room, watched)
    total = sum(item.truth.n_frames for item in watched)
    with Roles(folder, made) as roles:
        roles.create_topics()
        roles.start("sinks", "sink")
        roles.start("worker", "work")
        roles.start("ingest", "ingest")
        work_off(roles, total, total / SLOWEST_FPS)
        inspections = asyncio.run(_inspections(roles.settings, total))
        for name in ("ingest", "worker", "sinks"):
            roles.stop(name)
    return Said(inspections, *_stored(folder / "andon.db"))


def line(folder: Path, room: Room, watched: Sequence[Watched]) -> dict[str, Any]:
    """Its line.yaml: what `andon demo` uses, with the clips as cameras."""
    kafka: KafkaSettings = room.servers.fresh_kafka()
    made = document(folder, kafka, room.servers.fresh_redis())
    made["parts"] = {"class": "part"}
    made["cameras"] = [{"id": item.camera_id, "url": str(item.clip), "pace": "fast"} for item in watched]
    return made


async def _inspections(settings: Settings, total: int) -> tuple[Inspection, ...]:
    """All of the log, read once more. Raises TimeoutError where there are fewer than `total`."""
    read: list[Inspection] = []
    complete = asyncio.Event()

    def take(record: Record) -> None:
        try:
            message = decode(record)
        except DecodeError:
            return  # work_off has counted what was inspected: one that can't be read is missing then
        if isinstance(message, Inspection):
            read.append(message)
            if len(read) >= total:
                complete.set()

    async with asyncio.timeout(READ_S), asyncio.TaskGroup() as group:
        reading = group.create_task(records(settings, take, silent), name="read.inspections")
        await complete.wait()
        reading.cancel()
    return tuple(read)


def _stored(path: Path) -> tuple[tuple[Defect, ...], tuple[PartVerdict, ...]]:
    engine = create_engine(f"sqlite:///{path}")
    try:
        with engine.connect() as connection:
            defects = connection.scalars(select(tables.defects.c.latest)).all()
            verdicts = connection.scalars(select(tables.parts.c.event)).all()
    finally:
        engine.dispose()
    return (
        tuple(Defect.model_validate_json(one) for one in defects),
        tuple(PartVerdict.model_validate_json(one) for one in verdicts),
    )
