"""Andon's whole line, file sources as fast as it takes them, beside its bare parts and ultralytics' predict."""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from andon.errors import FatalError
from bench.harness import clips, contender
from bench.harness.contender import Result
from bench.harness.context import Room
from bench.harness.file_line import ROLES, whole
from bench.harness.plots import Bars, Stacked
from bench.harness.report import Findings, Ratio
from bench.harness.rounds import in_turn, ratio, spread
from bench.measurements.worker_throughput import SPARE, TRY_S, table

KEYS = ("line_cpu_vs_parts", "line_vs_predict_pt", "line_vs_predict_same_model")
DROPPED_ROUNDS = 8
BATCH = "8"
"""Of the bare inference: the worker's default. On a CPU the runtime takes four at a time whatever it is."""


def measure(room: Room) -> Findings:
    videos = clips.longer(room.folder / "videos", _rounds_of_clips(room))
    tried, threads = _tried(room, videos)
    room.say(
        f"line: {clips.frames(videos)} frames of four files; line, parts and predict in turn, {room.rounds} rounds"
    )
    results = in_turn(_contenders(room, videos, threads), room.rounds)
    return _findings(results, tried)


def _rounds_of_clips(room: Room) -> int:
    """So many that the bare loop would have work for the whole span; the line takes longer."""
    bare_per_s = float(room.found.get("worker", {}).get("bare", {}).get("frames_per_s", 200.0))
    wanted = SPARE * bare_per_s * (room.warm_s + room.span_s)
    return max(1, min(20, math.ceil(wanted / (clips.FRAMES * len(clips.CAMERAS)))))


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
        "parts": lambda: contender.run("peers.bare_loop", "parts", "--batch", BATCH, span_s=span_s),
        "predict_pt": lambda: _predict(room, videos, "pt", "--threads", str(threads), span_s=span_s),
        "predict_same_model": lambda: _predict(room, videos, "same", span_s=span_s),
    }


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
