"""Andon's whole line on files, as fast as it can, beside its bare parts and ultralytics' predict."""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from andon.errors import FatalError
from bench.harness import clips, contender
from bench.harness.contender import Throughput
from bench.harness.context import Context
from bench.harness.file_line import ROLES, FileLine, run_files
from bench.harness.plots import Bars, StackedBars
from bench.harness.report import Findings, Ratio
from bench.harness.rounds import median_ratio, relative_spread, steady
from bench.harness.tuned import ensure_tuned
from bench.measurements.worker_throughput import SPARE, TRY_S, throughput_rows
from bench.peers.model import EXPORTS, has_model

KEYS = ("line_vs_decode_plus_inference_demo", "line_vs_predict_pt", "line_vs_predict_best")
DROPPED_ROUNDS = 8
BATCH = "8"
"""For the bare inference: the worker's default. On a CPU the runtime takes four at a time whatever this says."""


def measure(context: Context) -> Findings:
    tuned = ensure_tuned(None, context.say)
    videos = clips.longer(context.folder / "videos", _rounds_of_clips(context))
    trials, threads = _try_predict(context, videos)
    best = _best_export(context, videos)
    trials |= {"tuned": tuned, "predict_best_export": best}
    context.say(
        f"line: {clips.frames(videos)} frames of four files; line, parts and predict in turn, {context.rounds} rounds"
    )
    contenders = _contenders(context, videos, threads, best)
    results = steady(contenders, context.rounds, lambda each: each.cpu_ms_a_frame, context.say)
    return _findings(results, trials)


def _rounds_of_clips(context: Context) -> int:
    """Enough that the bare loop would have work for the whole span; the line takes longer."""
    bare_per_s = float(context.figures.get("worker", {}).get("bare", {}).get("frames_per_s", 200.0))
    wanted = SPARE * bare_per_s * (context.warm_s + context.span_s)
    return max(1, min(20, math.ceil(wanted / (clips.FRAMES * len(clips.CAMERAS)))))


def _try_predict(context: Context, videos: Mapping[str, Path]) -> tuple[dict[str, Any], int]:
    """Try predict on the `.pt` with ultralytics' own number of threads, with two threads, and dropping frames.

    Returns the figures, and the better number of threads.
    """
    setups = {"its own threads": 0, "two threads": 2}
    trials = {
        name: _predict(context, videos, "pt", "--threads", str(threads), span_s=TRY_S)
        for name, threads in setups.items()
    }
    best = max(trials, key=lambda name: trials[name].frames_per_cpu_s)
    figures: dict[str, Any] = {name: result.figures() for name, result in trials.items()}
    figures["dropping frames, its default"] = _dropping(context)
    return {"predict_pt_tried": figures, "predict_pt_setup": best}, setups[best]


def _dropping(context: Context) -> dict[str, Any]:
    """By default predict decodes a file at once and drops most frames: it needs long files and may end early."""
    videos = clips.longer(context.folder / "videos", DROPPED_ROUNDS)
    try:
        return _predict(context, videos, "pt", "--drop", span_s=TRY_S).figures()
    except FatalError as error:
        return {"failed": str(error)}


def _predict(context: Context, videos: Mapping[str, Path], model: str, *options: str, span_s: float) -> Throughput:
    files = [str(video) for video in videos.values()]
    warm = ("--warm", f"{min(context.warm_s, span_s):g}")
    return contender.run("peers.predict", "--model", model, *options, *warm, *files, span_s=span_s)


def _best_export(context: Context, videos: Mapping[str, Path]) -> str:
    """The export with which predict takes the least CPU: its own of the .pt, or the very one that Andon serves."""
    tried = {kind: _predict(context, videos, kind, span_s=TRY_S) for kind in EXPORTS if has_model(kind)}
    return max(tried, key=lambda kind: tried[kind].frames_per_cpu_s)


def _contenders(
    context: Context, videos: Mapping[str, Path], threads: int, export: str
) -> dict[str, Callable[[], Throughput]]:
    span_s = context.span_s
    return {
        "line": lambda: run_files(context, FileLine(videos, clips.frames(videos))),
        "parts": lambda: contender.run("peers.bare_loop", "parts", "--batch", BATCH, span_s=span_s),
        "predict_pt": lambda: _predict(context, videos, "pt", "--threads", str(threads), span_s=span_s),
        "predict_best": lambda: _predict(context, videos, export, span_s=span_s),
    }


def _without_jpeg(parts: Sequence[Throughput]) -> list[float]:
    """Of bare decoding and inference: a line that passes video through has no JPEG in between."""
    return [part.more["camera_decode_cpu_ms"] + part.more["inference_cpu_ms"] for part in parts]


def _findings(results: Mapping[str, Sequence[Throughput]], trials: Mapping[str, Any]) -> Findings:
    cost = {name: [result.cpu_ms_a_frame for result in rounds] for name, rounds in results.items()}
    medians = {
        name: sorted(rounds, key=lambda each: each.cpu_ms_a_frame)[len(rounds) // 2] for name, rounds in results.items()
    }
    costs = {f"{name}_cpu_ms_a_frame": result.cpu_ms_a_frame for name, result in medians.items()}
    ratios = [
        Ratio("line_vs_decode_plus_inference_demo", median_ratio(cost["line"], _without_jpeg(results["parts"])), costs),
        # frames per CPU second: the inverse of CPU a frame
        Ratio("line_vs_predict_pt", median_ratio(cost["predict_pt"], cost["line"]), costs),
        Ratio("line_vs_predict_best", median_ratio(cost["predict_best"], cost["line"]), costs),
    ]
    line, parts = medians["line"], medians["parts"].more
    shown = {name: result for name, result in medians.items() if name != "parts"}
    own = {name.removesuffix("_cpu_ms_a_frame"): line.more[name] for name in line.more if name != "stages"}
    bare = {name.removesuffix("_cpu_ms"): value for name, value in parts.items()}
    return Findings(
        ratios,
        {
            **{name: {k: v for k, v in result.figures().items() if k != "stages"} for name, result in shown.items()},
            "frames_per_s": line.frames_per_s,
            "parts_cpu_ms_a_frame": {**bare, "sum": medians["parts"].cpu_ms_a_frame},
            "rounds_cpu_ms_a_frame": cost,
            "spread_of_rounds": {name: relative_spread(values) for name, values in cost.items()},
            **trials,
        },
        {
            "line, beside ultralytics' predict": throughput_rows(shown),
            "line: CPU ms a frame": [{"process": name, "CPU ms a frame": value} for name, value in own.items()],
            "bare parts: CPU ms a frame": [{"part": name, "CPU ms a frame": value} for name, value in bare.items()],
            "line, by stage": line.more["stages"],
        },
        [
            Bars("line_frames_per_s", "Four video files", "frames/s", {n: r.frames_per_s for n, r in shown.items()}),
            StackedBars(
                "line_cpu",
                "Four video files: where the CPU goes",
                "CPU ms a frame",
                {
                    "line": {name: own[name] for name in ROLES},
                    "bare parts": bare,
                    **{name: {name: shown[name].cpu_ms_a_frame} for name in ("predict_pt", "predict_best")},
                },
            ),
        ],
    )
