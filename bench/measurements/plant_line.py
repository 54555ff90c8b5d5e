"""A plant's line, 1080p25 at 8 Mbit/s and the model at 640 pixels: cameras passed through beside cameras as JPEG.

Both run in turn on the same files; bare decoding and inference of the same files run between them.
"""

import asyncio
import statistics
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from pathlib import Path

from bench.harness import contender
from bench.harness.consumer_log import ConsumerLog
from bench.harness.contender import Throughput
from bench.harness.context import Context
from bench.harness.file_line import PROCESSES, FileLine, document_of, run_files, wait_until_accounted
from bench.harness.plant_clips import DRAWN, IMGSZ, plant_clips
from bench.harness.report import Findings, Ratio
from bench.harness.roles import Roles
from bench.harness.rounds import Rounds, median_ratio
from bench.harness.topic_reader import read_messages
from bench.harness.tuned import ensure_tuned

KEYS = (
    "ingest_passthrough_vs_jpeg",
    "line_vs_decode_plus_inference_plant",
    "bytes_passthrough_vs_jpeg",
    "latency_passthrough_minus_jpeg",
)
CAMERAS = 2
BATCH = "8"
ENCODINGS = ("passthrough", "jpeg")
LIVE = 5
"""Groups of pictures of the camera in real time: ten seconds."""
READ_S = 1.0
"""For reading the inspections back after the last frame."""


def measure(context: Context) -> Findings:
    tuned = ensure_tuned(IMGSZ, context.say)
    rounds = 1 if context.quick else 4
    videos = plant_clips(context.folder / "plant", CAMERAS, rounds)
    context.say(f"plant: {CAMERAS * DRAWN * rounds} frames of two 1080p files; passed through, as JPEG, bare, in turn")
    contenders = _contenders(context, videos, rounds)
    results = context.turns(most=2).run(contenders, lambda each: each.cpu_ms_a_frame, "CPU ms a frame")
    live = plant_clips(context.folder / "plant", 1, LIVE)
    p50_ms = {encoding: _live_p50_ms(context, live, encoding) for encoding in ENCODINGS}
    return findings(results, p50_ms, tuned)


def _contenders(context: Context, videos: Mapping[str, Path], rounds: int) -> dict[str, Callable[[], Throughput]]:
    video = str(next(iter(videos.values())))
    bare = ("video", "--imgsz", str(IMGSZ), "--batch", BATCH, video)

    def line(encoding: str) -> Throughput:
        return run_files(context, FileLine(videos, CAMERAS * DRAWN * rounds, encoding, IMGSZ))

    return {
        "passthrough": lambda: line("passthrough"),
        "jpeg": lambda: line("jpeg"),
        "bare": lambda: contender.run("peers.bare_loop", *bare, span_s=context.span_s),
    }


def findings(rounds: Rounds[Throughput], p50_ms: Mapping[str, float], tuned: Mapping[str, object]) -> Findings:
    """The tables and the ratios: medians of the rounds' ratios."""
    medians = {name: rounds.median(name) for name in rounds.results}
    costs = {f"{name}_cpu_ms_a_frame": result.cpu_ms_a_frame for name, result in medians.items()}
    bare = {name.removesuffix("_cpu_ms"): cost for name, cost in medians["bare"].more.items()}
    difference_ms = p50_ms["passthrough"] - p50_ms["jpeg"]
    ratios = [
        _between_encodings("ingest_passthrough_vs_jpeg", "ingest_cpu_ms_a_frame", rounds),
        Ratio(
            "line_vs_decode_plus_inference_plant",
            rounds.ratio("passthrough", "bare"),
            costs,
            rounds.spread("passthrough", "bare"),
        ),
        _between_encodings("bytes_passthrough_vs_jpeg", "bytes_a_frame", rounds),
        Ratio("latency_passthrough_minus_jpeg", difference_ms, {f"{name}_p50_ms": p50_ms[name] for name in ENCODINGS}),
    ]
    return Findings(
        ratios,
        {"tuned": dict(tuned), **rounds.figures(), "bare_cpu_ms_a_frame": bare},
        {
            "plant: 1080p25, 8 Mbit/s, model at 640": [_row(name, medians[name], p50_ms[name]) for name in ENCODINGS],
            "plant, bare: CPU ms a frame": [{"part": name, "CPU ms a frame": cost} for name, cost in bare.items()],
            "plant, passed through, by stage": medians["passthrough"].more["stages"],
            "plant: rounds": rounds.rows(),
        },
    )


def _between_encodings(key: str, figure: str, rounds: Rounds[Throughput]) -> Ratio:
    """The ratio of a figure of the lines between passed through and as JPEG."""
    values = {name: [float(each.more[figure]) for each in rounds.results[name]] for name in ENCODINGS}
    came_from = {f"{name}_{figure}": statistics.median(values[name]) for name in ENCODINGS}
    return Ratio(key, median_ratio(values["passthrough"], values["jpeg"]), came_from, rounds.spread(*ENCODINGS))


def _row(encoding: str, line: Throughput, p50_ms: float) -> dict[str, object]:
    processes = {name: line.more[f"{name}_cpu_ms_a_frame"] for name in PROCESSES}
    return {
        "encoding": encoding,
        "frames/s": line.frames_per_s,
        **processes,
        "line, CPU ms a frame": line.cpu_ms_a_frame,
        "bytes a frame": line.more["bytes_a_frame"],
        "p50 capture to inspection, ms": p50_ms,
    }


def _live_p50_ms(context: Context, videos: Mapping[str, Path], encoding: str) -> float:
    """From capture to inspection, of one camera in real time."""
    line = FileLine(videos, DRAWN * LIVE, encoding, IMGSZ, pace="realtime")
    log = ConsumerLog("")
    with Roles(context.new_folder("roles"), document_of(context, line)) as roles:
        roles.create_topics()
        roles.start_line()
        wait_until_accounted(roles, line.frames)
        kafka = roles.settings.kafka
        asyncio.run(within(read_messages(kafka, kafka.inspections_topic, log.add_inspection)))
    inspected = [each for each, _ in log.inspections if each.outcome == "inspected"]
    return 1000 * statistics.median((each.inspected_at - each.captured_at).total_seconds() for each in inspected)


async def within(reading: Coroutine[None, None, None]) -> None:
    """Read for READ_S; a reader never returns by itself."""
    with suppress(TimeoutError):
        async with asyncio.timeout(READ_S):
            await reading
