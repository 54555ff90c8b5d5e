"""A whole line of Andon's, from files to the account: how long the frames take, and what each process spends."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from andon.errors import FatalError
from bench.harness import clips, cpu
from bench.harness.contender import Result
from bench.harness.context import Room
from bench.harness.roles import Roles, Samples, document
from bench.harness.stage_costs import RoleSpan, stages

ROLES = ("ingest", "worker", "sinks")
LONGEST_S = 180.0
LONGEST_LOOK_S = 1.0
"""Between two looks: what is left says little while hardly anything is done."""


def whole(room: Room, videos: Mapping[str, Path]) -> Result:
    """Files to account: from ingest's readiness until the last frame stands in the ledger.

    The filling and the emptying of the line count as time, start-up does not.
    """
    folder = room.new_folder("line")
    made = document(folder, room.servers.fresh_kafka(), room.servers.fresh_redis())
    made["cameras"] = [{"id": name, "url": str(video), "pace": "fast"} for name, video in videos.items()]
    with Roles(folder, made) as roles:
        roles.create_topics()
        roles.start("sinks", "sink")
        roles.start("worker", "work")
        roles.start("ingest", "ingest")
        first = _look(roles, room)
        work_off(roles, clips.frames(videos))
        last = _look(roles, room)
        for name in ("ingest", "worker", "sinks"):
            roles.stop(name)
    return _result(first, last)


@dataclass(frozen=True, slots=True)
class _Look:
    """All that is known of a line at one moment."""

    mark: cpu.Mark
    samples: Mapping[str, Samples]
    loops_cpu_s: Mapping[str, float]


def _look(roles: Roles, room: Room) -> _Look:
    samples = {name: roles.metrics(name) for name in ROLES}
    frames = {
        "ingest": samples["ingest"].get("andon_ingest_frames_captured_total", 0.0),
        "worker": samples["worker"].get("andon_workers_frames_inspected_total", 0.0),
        "sinks": samples["sinks"].get("andon_stage_records_done_total", 0.0),
    }
    loops = {name: cpu.first_thread_s(roles.pid(name)) for name in ROLES}
    return _Look(cpu.mark(roles.pids() | room.servers.pids, frames), samples, loops)


def work_off(roles: Roles, total: int, longest_s: float = LONGEST_S) -> None:
    """Return when the sinks have accounted for all that the worker published. Looks seldom: a look costs CPU.

    Roles named as in ROLES run. Raises FatalError where one ends, or `total` frames take longer than `longest_s`.
    """
    began = time.monotonic()
    while (left := _left(roles, total)) > 0:
        passed_s = time.monotonic() - began
        roles.check()
        if passed_s > longest_s:
            raise FatalError(f"{left:.0f} of {total} frames are left after {passed_s:.0f} s")
        time.sleep(min(LONGEST_LOOK_S, max(0.1, passed_s * left / max(1.0, total - left) / 2)))


def _left(roles: Roles, total: int) -> float:
    """Frames not inspected; then records not accounted for."""
    worker = roles.metrics("worker")
    left = total - worker.get("andon_workers_frames_inspected_total", 0.0)
    if left > 0:
        return left
    done = roles.metrics("sinks").get("andon_stage_records_done_total", 0.0)
    return worker["andon_stage_records_done_total"] - done


def _result(first: _Look, last: _Look) -> Result:
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
    processes = {f"{name}_cpu_ms_a_frame": 1000 * span.cpu_s[name] / frames for name in (*ROLES, "broker", "redis")}
    rows = stages(spans["ingest"], spans["worker"], spans["sinks"])
    return Result(frames, span.wall_s, sum(span.cpu_s[name] for name in ROLES), {**processes, "stages": rows})
