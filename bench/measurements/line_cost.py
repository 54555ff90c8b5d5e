"""Andon's whole line on the demo's files, as fast as it can, beside bare decoding and inference, and predict."""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bench.harness import clips, contender
from bench.harness.contender import Throughput
from bench.harness.context import Context
from bench.harness.file_line import PROCESSES, ROLES, FileLine, run_files
from bench.harness.plots import Bars, StackedBars
from bench.harness.report import Findings, Ratio
from bench.harness.rounds import Rounds
from bench.harness.tuned import ensure_tuned
from bench.measurements.worker_throughput import TRY_S, throughput_rows
from bench.peers.model import EXPORTS, has_model, model_path

ROUNDS = 2
"""A round of four contenders takes over a minute."""
KEYS = ("line_vs_decode_plus_inference_demo", "line_vs_predict_pt", "line_vs_predict_best")
BATCH = "8"
"""For the bare inference: the worker's default. On a CPU the runtime takes four at a time whatever this says."""


def measure(context: Context) -> Findings:
    tuned = ensure_tuned(None, context.say)
    videos = clips.longer(context.folder / "videos", _rounds_of_clips(context))
    trials, threads = _try_predict(context, videos)
    best = _best_export(context, videos)
    trials |= {"tuned": tuned, "predict_best_export": best}
    context.say(f"line: {clips.frames(videos)} frames of four files; line, bare and predict in turn")
    contenders = _contenders(context, videos, threads, best)
    rounds = context.turns(most=ROUNDS).run(contenders, lambda each: each.cpu_ms_a_frame, "CPU ms a frame")
    return findings(rounds, trials)


def _rounds_of_clips(context: Context) -> int:
    """Enough that the bare loop would have work for the whole span; predict and the line take longer."""
    bare_per_s = float(context.figures.get("worker", {}).get("bare", {}).get("frames_per_s", 200.0))
    wanted = bare_per_s * (context.warm_s + context.span_s)
    return max(1, min(20, math.ceil(wanted / (clips.FRAMES * len(clips.CAMERAS)))))


def _try_predict(context: Context, videos: Mapping[str, Path]) -> tuple[dict[str, Any], int]:
    """Try predict on the `.pt` with ultralytics' own number of threads and with two; it keeps every frame.

    Returns the figures, and the better number of threads.
    """
    setups = {"its own threads": 0, "two threads": 2}
    trials = {
        name: _predict(context, videos, "pt", "--threads", str(threads), span_s=TRY_S)
        for name, threads in setups.items()
    }
    best = max(trials, key=lambda name: trials[name].frames_per_cpu_s)
    figures = {name: result.figures() for name, result in trials.items()}
    return {"predict_pt_tried": figures, "predict_pt_setup": best}, setups[best]


def _predict(context: Context, videos: Mapping[str, Path], model: str, *options: str, span_s: float) -> Throughput:
    files = [str(video) for video in videos.values()]
    warm = ("--warm", f"{context.warm_s:g}")
    return contender.run("peers.predict", "--model", model, *options, *warm, *files, span_s=span_s)


def _best_export(context: Context, videos: Mapping[str, Path]) -> str:
    """The export with which predict takes the least CPU: its own of the .pt, or the very one that Andon serves."""
    kinds = {model_path(kind): kind for kind in EXPORTS if has_model(kind)}  # Andon may serve one of predict's own
    tried = {kind: _predict(context, videos, kind, span_s=TRY_S) for kind in kinds.values()}
    return max(tried, key=lambda kind: tried[kind].frames_per_cpu_s)


def _contenders(
    context: Context, videos: Mapping[str, Path], threads: int, export: str
) -> dict[str, Callable[[], Throughput]]:
    span_s = context.span_s
    bare = ("video", "--batch", BATCH, *map(str, videos.values()))
    return {
        "line": lambda: run_files(context, FileLine(videos, clips.frames(videos))),
        "bare": lambda: contender.run("peers.bare_loop", *bare, span_s=span_s),
        "predict_pt": lambda: _predict(context, videos, "pt", "--threads", str(threads), span_s=span_s),
        "predict_best": lambda: _predict(context, videos, export, span_s=span_s),
    }


def findings(rounds: Rounds[Throughput], trials: Mapping[str, Any]) -> Findings:
    medians = {name: rounds.median(name) for name in rounds.results}
    costs = {f"{name}_cpu_ms_a_frame": result.cpu_ms_a_frame for name, result in medians.items()}

    def ratio(key: str, ours: str, theirs: str) -> Ratio:
        return Ratio(key, rounds.ratio(ours, theirs), costs, rounds.spread(ours, theirs))

    line, bare = medians["line"], {name.removesuffix("_cpu_ms"): cost for name, cost in medians["bare"].more.items()}
    shown = {name: result for name, result in medians.items() if name != "bare"}
    own = {name: line.more[f"{name}_cpu_ms_a_frame"] for name in PROCESSES}
    return Findings(
        [
            ratio("line_vs_decode_plus_inference_demo", "line", "bare"),
            # frames per CPU second: the inverse of CPU a frame
            ratio("line_vs_predict_pt", "predict_pt", "line"),
            ratio("line_vs_predict_best", "predict_best", "line"),
        ],
        {
            **{name: {k: v for k, v in result.figures().items() if k != "stages"} for name, result in shown.items()},
            "frames_per_s": line.frames_per_s,
            "bare_cpu_ms_a_frame": bare,
            **rounds.figures(),
            **trials,
        },
        {
            "line, beside ultralytics' predict": throughput_rows(shown),
            "line: CPU ms a frame": [{"process": name, "CPU ms a frame": value} for name, value in own.items()],
            "bare: CPU ms a frame": [{"part": name, "CPU ms a frame": value} for name, value in bare.items()],
            "line, by stage": line.more["stages"],
            "line: rounds": rounds.rows(),
        },
        [
            Bars("line_frames_per_s", "Four video files", "frames/s", {n: r.frames_per_s for n, r in shown.items()}),
            StackedBars(
                "line_cpu",
                "Four video files: where the CPU goes",
                "CPU ms a frame",
                {
                    "line": {name: own[name] for name in ROLES},
                    "bare": bare,
                    **{name: {name: shown[name].cpu_ms_a_frame} for name in ("predict_pt", "predict_best")},
                },
            ),
        ],
    )
