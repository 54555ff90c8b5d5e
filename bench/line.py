"""Andon's whole line, file sources as fast as it takes them, beside its bare parts and ultralytics' predict."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from andon.errors import FatalError
from bench import clips, contender, cpu
from bench.contender import Result
from bench.plots import Bars, Stacked
from bench.report import Findings, Ratio
from bench.roles import Roles, Samples, document
from bench.room import Room
from bench.stages import RoleSpan, stages
from bench.turns import in_turn, ratio, spread
from bench.worker import SPARE, TRY_S, table

KEYS = ("line_cpu_vs_parts", "line_vs_predict_pt", "line_vs_predict_same_model")
ROLES = ("ingest", "worker", "sinks")
DROPPED_ROUNDS = 8
LONGEST_S = 180.0
BATCH = "8"
"""Of the bare inference: the worker's default. On a CPU the runtime takes four at a time whatever it is."""


def measure(room: Room) -> Findings:
    videos = clips.longer(room.folder / "videos", _rounds_of_clips(room))
    tried, threads = _tried(room, videos)
    room.say(f"line: {_total(videos)} frames of four files; line, parts and predict in turn, {room.rounds} rounds")
    results = in_turn(_contenders(room, videos, threads), room.rounds)
    return _findings(results, tried)


def _rounds_of_clips(room: Room) -> int:
    """So many that the bare loop would have work for the whole span; the line takes longer."""
    bare_per_s = float(room.found.get("worker", {}).get("bare", {}).get("frames_per_s", 200.0))
    wanted = SPARE * bare_per_s * (room.warm_s + room.span_s)
    return max(1, min(20, math.ceil(wanted / (clips.FRAMES * len(clips.CAMERAS)))))


def _total(videos: Mapping[str, Path]) -> int:
    one = next(iter(videos.values()))
    return len(videos) * clips.FRAMES * int(one.stem.rpartition("-")[2])


def _tried(room: Room, videos: Mapping[str, Path]) -> tuple[dict[str, Any], int]:
    """predict with the `.pt`: with ultralytics' own number of threads or one for each core; and as it drops frames."""
    setups = {"its own threads": 0, "two threads": 2}
    tried = {
        name: _predict(room, videos, "pt", "--threads", str(threads), span_s=TRY_S) for name, threads in setups.items()
    }
    best = max(tried, key=lambda name: tried[name].frames_per_cpu_s)
    figures: dict[str, Any] = {name: result.figures() for name, result in tried.items()}
    figures["dropping frames, its default"] = _dropping(room)
    return {"predict_pt_tried": figures, "predict_pt_setup": best}, setups[best]


def _dropping(room: Room) -> dict[str, Any]:
    """As it comes, predict decodes all that a file has at once and drops it: it needs long files, and may end early."""
    videos = clips.longer(room.folder / "videos", DROPPED_ROUNDS)
    try:
        return _predict(room, videos, "pt", "--drop", span_s=TRY_S).figures()
    except FatalError as error:
        return {"failed": str(error)}


def _predict(room: Room, videos: Mapping[str, Path], model: str, *options: str, span_s: float) -> Result:
    files = [str(video) for video in videos.values()]
    warm = ("--warm", f"{min(room.warm_s, span_s):g}")
    return contender.run("peers.predict", "--model", model, *options, *warm, *files, span_s=span_s)


def _contenders(room: Room, videos: Mapping[str, Path], threads: int) -> dict[str, Callable[[], Result]]:
    span_s = room.span_s
    return {
        "line": lambda: whole(room, videos),
        "parts": lambda: contender.run("bare", "parts", "--batch", BATCH, span_s=span_s),
        "predict_pt": lambda: _predict(room, videos, "pt", "--threads", str(threads), span_s=span_s),
        "predict_same_model": lambda: _predict(room, videos, "same", span_s=span_s),
    }


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
        _work_off(roles, _total(videos))
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


def _work_off(roles: Roles, total: int) -> None:
    """Return when the sinks have accounted for all that the worker published. Looks seldom: a look costs CPU.

    Raises FatalError where a role ends, or nothing is inspected within LONGEST_S.
    """
    began = time.monotonic()
    while (left := _left(roles, total)) > 0:
        passed_s = time.monotonic() - began
        roles.check()
        if passed_s > LONGEST_S:
            raise FatalError(f"{left:.0f} of {total} frames are left after {passed_s:.0f} s")
        time.sleep(max(0.1, passed_s * left / max(1.0, total - left) / 2))


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


def _findings(results: Mapping[str, Sequence[Result]], tried: Mapping[str, Any]) -> Findings:
    cost = {name: [result.cpu_ms_a_frame for result in rounds] for name, rounds in results.items()}
    middle = {
        name: sorted(rounds, key=lambda each: each.cpu_ms_a_frame)[len(rounds) // 2] for name, rounds in results.items()
    }
    costs = {f"{name}_cpu_ms_a_frame": result.cpu_ms_a_frame for name, result in middle.items()}
    ratios = [
        Ratio("line_cpu_vs_parts", ratio(cost["line"], cost["parts"]), costs),
        # frames per CPU second: the inverse of CPU a frame
        Ratio("line_vs_predict_pt", ratio(cost["predict_pt"], cost["line"]), costs),
        Ratio("line_vs_predict_same_model", ratio(cost["predict_same_model"], cost["line"]), costs),
    ]
    line, parts = middle["line"], middle["parts"].more
    shown = {name: result for name, result in middle.items() if name != "parts"}
    own = {name.removesuffix("_cpu_ms_a_frame"): line.more[name] for name in line.more if name != "stages"}
    bare = {name.removesuffix("_cpu_ms"): value for name, value in parts.items()}
    return Findings(
        ratios,
        {
            **{name: {k: v for k, v in result.figures().items() if k != "stages"} for name, result in shown.items()},
            "frames_per_s": line.frames_per_s,
            "parts_cpu_ms_a_frame": {**bare, "sum": middle["parts"].cpu_ms_a_frame},
            "rounds_cpu_ms_a_frame": cost,
            "spread_of_rounds": {name: spread(values) for name, values in cost.items()},
            **tried,
        },
        {
            "line, beside ultralytics' predict": table(shown),
            "line: CPU ms a frame": [{"process": name, "CPU ms a frame": value} for name, value in own.items()],
            "bare parts: CPU ms a frame": [{"part": name, "CPU ms a frame": value} for name, value in bare.items()],
            "line, by stage": line.more["stages"],
        },
        [
            Bars("line_frames_per_s", "Four video files", "frames/s", {n: r.frames_per_s for n, r in shown.items()}),
            Stacked(
                "line_cpu",
                "Four video files: where the CPU goes",
                "CPU ms a frame",
                {
                    "line": {name: own[name] for name in ROLES},
                    "bare parts": bare,
                    **{name: {name: shown[name].cpu_ms_a_frame} for name in ("predict_pt", "predict_same_model")},
                },
            ),
        ],
    )
