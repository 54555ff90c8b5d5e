"""A plant's line, 1080p25 at 8 Mbit/s and the model at 640 pixels: cameras passed through beside cameras as JPEG.

Both run in turn on the same files; bare decoding and inference of the same files run between them.
"""

import asyncio
import statistics
from collections.abc import Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from bench.harness import contender
from bench.harness.consumer_log import ConsumerLog
from bench.harness.contender import Throughput
from bench.harness.context import Context
from bench.harness.file_line import FileLine, document_of, run_files, wait_until_accounted
from bench.harness.plant_clips import DRAWN, IMGSZ, plant_clips
from bench.harness.report import Findings, Ratio
from bench.harness.roles import Roles
from bench.harness.rounds import median_ratio, relative_spread, steady
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
READ_S = 1.0
"""For reading the inspections back after the last frame."""


def measure(context: Context) -> Findings:
    tuned = ensure_tuned(IMGSZ, context.say)
    rounds = 1 if context.quick else 4
    videos = plant_clips(context.folder / "plant", CAMERAS, rounds)
    context.say(f"plant: {CAMERAS * DRAWN * rounds} frames of two 1080p files; passed through, as JPEG, bare, in turn")
    contenders = _contenders(context, videos, rounds)
    results = steady(contenders, min(2, context.rounds), lambda each: each.cpu_ms_a_frame, context.say)
    live = plant_clips(context.folder / "plant", 1, 2 * rounds)
    p50_ms = {encoding: _live_p50_ms(context, live, 2 * rounds, encoding) for encoding in ENCODINGS}
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


def findings(
    results: Mapping[str, Sequence[Throughput]], p50_ms: Mapping[str, float], tuned: Mapping[str, object]
) -> Findings:
    """The tables and the ratios: medians of the rounds' ratios."""
    cost = {name: [result.cpu_ms_a_frame for result in rounds] for name, rounds in results.items()}
    ingest = {name: [result.more["ingest_cpu_ms_a_frame"] for result in results[name]] for name in ENCODINGS}
    size = {name: [result.more["bytes_a_frame"] for result in results[name]] for name in ENCODINGS}
    costs = {f"{name}_cpu_ms_a_frame": statistics.median(values) for name, values in cost.items()}
    difference_ms = p50_ms["passthrough"] - p50_ms["jpeg"]
    ratios = [
        Ratio("ingest_passthrough_vs_jpeg", median_ratio(ingest["passthrough"], ingest["jpeg"])),
        Ratio("line_vs_decode_plus_inference_plant", median_ratio(cost["passthrough"], cost["bare"]), costs),
        Ratio("bytes_passthrough_vs_jpeg", median_ratio(size["passthrough"], size["jpeg"])),
        Ratio("latency_passthrough_minus_jpeg", difference_ms, {f"{name}_p50_ms": p50_ms[name] for name in ENCODINGS}),
    ]
    rows = [
        {
            "encoding": name,
            **{
                key.removesuffix("_cpu_ms_a_frame"): value
                for key, value in results[name][-1].more.items()
                if key != "stages"
            },
            "CPU ms a frame": statistics.median(cost[name]),
            "p50 capture to inspection, ms": p50_ms[name],
        }
        for name in ENCODINGS
    ]
    return Findings(
        ratios,
        {
            "tuned": dict(tuned),
            "rounds_cpu_ms_a_frame": cost,
            "spread_of_rounds": {name: relative_spread(values) for name, values in cost.items()},
            "bare": dict(results["bare"][-1].more),
        },
        {"plant: 1080p25, 8 Mbit/s, model at 640": rows},
    )


def _live_p50_ms(context: Context, videos: Mapping[str, Path], rounds: int, encoding: str) -> float:
    """From capture to inspection, of one camera in real time."""
    line = FileLine(videos, DRAWN * rounds, encoding, IMGSZ, pace="realtime")
    log = ConsumerLog("")
    with Roles(context.new_folder("roles"), document_of(context, line)) as roles:
        roles.create_topics()
        roles.start("sinks", "sink")
        roles.start("worker", "work")
        roles.start("ingest", "ingest")
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
