"""Andon's whole line over video files, as fast as it can: how long the frames take and what each process costs."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from andon.errors import FatalError
from andon.events import silent
from andon.settings import KafkaSettings
from andon.stream.reading import read_topic
from bench.harness.contender import Throughput
from bench.harness.context import Context
from bench.harness.roles import Roles, Samples, line_document
from bench.harness.stage_costs import RoleSpan, stage_rows
from deploy.local import cpu

ROLES = ("ingest", "worker", "sinks")
PROCESSES = (*ROLES, "broker", "redis")
LONGEST_S = 180.0
LONGEST_POLL_S = 1.0
"""The longest interval between two polls. The estimate from the remaining frames is poor while few are done."""


@dataclass(frozen=True, slots=True)
class FileLine:
    """The input of a line, and how it runs."""

    videos: Mapping[str, Path]
    """By camera."""
    frames: int
    """In all files."""
    encoding: str = "passthrough"
    imgsz: int | None = None
    pace: str = "fast"


def document_of(context: Context, line: FileLine) -> dict[str, Any]:
    """Its line.yaml."""
    folder = context.new_folder("line")
    document = line_document(folder, context.servers.fresh_kafka(), context.servers.fresh_redis())
    document["cameras"] = [
        {"id": name, "url": str(video), "pace": line.pace, "encoding": line.encoding}
        for name, video in line.videos.items()
    ]
    if line.imgsz is not None:
        document["pools"]["default"]["model"]["imgsz"] = line.imgsz
    return document


def run_files(context: Context, files: FileLine) -> Throughput:
    """Measure from ingest's readiness until the last frame is in the ledger.

    The time in which the line fills and empties counts; start-up does not.
    """
    line = document_of(context, files)
    folder = context.new_folder("roles")
    with Roles(folder, line) as roles:
        roles.create_topics()
        roles.start_line()
        first = _snapshot(roles, context)
        wait_until_accounted(roles, files.frames)
        last = _snapshot(roles, context)
        bytes_a_frame = asyncio.run(_topic_bytes(roles.settings.kafka)) / files.frames
        for name in ("ingest", "worker", "sinks"):
            roles.stop(name)
    done = _throughput(first, last)
    return replace(done, more={**done.more, "bytes_a_frame": bytes_a_frame})


async def _topic_bytes(kafka: KafkaSettings) -> int:
    """Of all values in the frames topic."""
    total = 0
    async with read_topic(kafka, kafka.frames_topic, silent) as reader:
        while not reader.at_end:
            for records in (await reader.poll()).values():
                total += sum(len(record.value or b"") for record in records)
    return total


@dataclass(frozen=True, slots=True)
class _Snapshot:
    """CPU, metrics and frames of the line at one moment."""

    mark: cpu.Mark
    samples: Mapping[str, Samples]
    loops_cpu_s: Mapping[str, float]


def _snapshot(roles: Roles, context: Context) -> _Snapshot:
    samples = {name: roles.metrics(name) for name in ROLES}
    frames = {
        "ingest": samples["ingest"].get("andon_ingest_frames_captured_total", 0.0),
        "worker": samples["worker"].get("andon_workers_frames_inspected_total", 0.0),
        "sinks": samples["sinks"].get("andon_stage_records_done_total", 0.0),
    }
    loops = {name: cpu.first_thread_s(roles.pid(name)) for name in ROLES}
    return _Snapshot(cpu.mark(roles.pids() | context.servers.pids, frames), samples, loops)


def wait_until_accounted(roles: Roles, total: int, longest_s: float = LONGEST_S) -> None:
    """Return when the sinks have accounted for all that the worker published. Polls seldom, since a poll costs CPU.

    The roles run under the names in ROLES. Raises FatalError if one ends, or if `total` frames take over `longest_s`.
    """
    began = time.monotonic()
    while (left := _remaining(roles, total)) > 0:
        passed_s = time.monotonic() - began
        roles.check()
        if passed_s > longest_s:
            raise FatalError(f"{left:.0f} of {total} frames remain after {passed_s:.0f} s")
        time.sleep(min(LONGEST_POLL_S, max(0.1, passed_s * left / max(1.0, total - left) / 2)))


def _remaining(roles: Roles, total: int) -> float:
    """Frames that are not inspected; once there are none, records that are not accounted for."""
    worker = roles.metrics("worker")
    left = total - worker.get("andon_workers_frames_inspected_total", 0.0)
    if left > 0:
        return left
    done = roles.metrics("sinks").get("andon_stage_records_done_total", 0.0)
    return worker["andon_stage_records_done_total"] - done


def _throughput(first: _Snapshot, last: _Snapshot) -> Throughput:
    span = cpu.between(first.mark, last.mark)
    frames = span.frames["worker"]
    spans = {
        name: RoleSpan(
            first.samples[name],
            last.samples[name],
            frames,
            last.loops_cpu_s[name] - first.loops_cpu_s[name],
            span.cpu_s[name],
        )
        for name in ROLES
    }
    processes = {f"{name}_cpu_ms_a_frame": 1000 * span.cpu_s[name] / frames for name in PROCESSES}
    rows = stage_rows(spans["ingest"], spans["worker"], spans["sinks"])
    return Throughput(frames, span.wall_s, sum(span.cpu_s[name] for name in ROLES), {**processes, "stages": rows})
