"""Runs the whole line over the clips, as fast as it can, and reads its inspections, defects and verdicts."""

import asyncio
import re
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
from bench.accuracy.line_clips import LineClip
from bench.harness.context import Context
from bench.harness.file_line import wait_until_accounted
from bench.harness.roles import Roles, line_document
from deploy.local.demo.watch import records
from sinks.store import tables

SLOWEST_FPS = 20.0
"""A line that inspects fewer frames a second hangs."""
READ_S = 300.0
FIELD = re.compile(r"(runtime|precision)=(\w+)")


@dataclass(frozen=True, slots=True)
class LineOutput:
    """All inspections, defects and verdicts of one run."""

    inspections: tuple[Inspection, ...]
    defects: tuple[Defect, ...]
    """Each in its last state."""
    verdicts: tuple[PartVerdict, ...]
    served: str
    """The runtime and the precision in which the worker served the model, as its log says."""


def run(context: Context, clips: Sequence[LineClip]) -> LineOutput:
    """From files to verdicts. Every frame of every clip is inspected."""
    folder = context.new_folder("accuracy")
    document = line(folder, context, clips)
    total = sum(item.truth.n_frames for item in clips)
    with Roles(folder, document) as roles:
        roles.create_topics()
        roles.start_line()
        wait_until_accounted(roles, total, total / SLOWEST_FPS)
        inspections = asyncio.run(_inspections(roles.settings, total))
        served = served_by((folder / "worker.log").read_text("utf-8"))
        for name in ("ingest", "worker", "sinks"):
            roles.stop(name)
    return LineOutput(inspections, *_stored(folder / "andon.db"), served)


def served_by(log: str) -> str:
    """Runtime and precision in a worker's log. Raises ValueError if it loaded no model."""
    loaded = next((line for line in log.splitlines() if "model.loaded" in line), "")
    fields = dict(FIELD.findall(loaded))
    if "runtime" not in fields:
        raise ValueError("the worker's log doesn't say which model it serves")
    return f"{fields['runtime']} {fields.get('precision') or 'in its own precision'}"


def line(folder: Path, context: Context, clips: Sequence[LineClip]) -> dict[str, Any]:
    """The line.yaml of `andon demo`, with the clips as cameras whose video is passed through."""
    kafka: KafkaSettings = context.servers.fresh_kafka()
    document = line_document(folder, kafka, context.servers.fresh_redis())
    document["parts"] = {"class": "part"}
    document["cameras"] = [
        {"id": item.camera_id, "url": str(item.clip), "pace": "fast", "encoding": "passthrough"} for item in clips
    ]
    return document


async def _inspections(settings: Settings, total: int) -> tuple[Inspection, ...]:
    """Read all inspections from the topic. Raises TimeoutError if there are fewer than `total`."""
    inspections: list[Inspection] = []
    complete = asyncio.Event()

    def take(record: Record) -> None:
        try:
            message = decode(record)
        except DecodeError:
            return  # wait_until_accounted has counted what was inspected: one that can't be read is missing then
        if isinstance(message, Inspection):
            inspections.append(message)
            if len(inspections) >= total:
                complete.set()

    async with asyncio.timeout(READ_S), asyncio.TaskGroup() as group:
        reading = group.create_task(records(settings, take, silent), name="read.inspections")
        await complete.wait()
        reading.cancel()
    return tuple(inspections)


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
