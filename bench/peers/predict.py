"""Ultralytics' own way to read several streams: `YOLO.predict` over a `.streams` list, as its documentation shows.

Its reader makes a batch of one frame of each stream. By default it silently drops, after decoding, the frames for which
it has no time; with `stream_buffer` it keeps every frame, as Andon does. Only frames with inference count here.

Source: docs.ultralytics.com/modes/predict, "Multi-Stream".
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from bench.harness import contender
from bench.harness.contender import Meter, Throughput
from bench.peers.model import EXPORTS, PREDICT_OPTIONS, use_threads, yolo


@dataclass(frozen=True, slots=True)
class Options:
    threads: int
    batch: int
    keep_all: bool


def predict(model: str, videos: Sequence[Path], options: Options, meter: Meter) -> Throughput:
    """Run until the meter has enough or the shortest video ends."""
    with tempfile.TemporaryDirectory() as folder, yolo(model) as detector:
        streams = Path(folder) / "line.streams"
        streams.write_text("\n".join(str(video) for video in videos) + "\n")
        results = detector.predict(
            source=str(streams), stream=True, stream_buffer=options.keep_all, batch=options.batch, **PREDICT_OPTIONS
        )
        detections = frames = 0
        for result in results:
            if not frames:
                use_threads(options.threads)
            frames += 1
            detections += len(result.boxes)
            if not meter.add(1):
                break
        options_used = {"batch": options.batch, "threads": options.threads, "keep_all": options.keep_all}
        return meter.result(**options_used, detections_a_frame=round(detections / frames, 3))


@click.command()
@click.option("--model", type=click.Choice(["pt", *EXPORTS]), required=True)
@click.option("--threads", type=int, default=0, help="0: ultralytics' own number.")
@click.option("--batch", type=int, default=1, help="Passed to the runtime; a batch has one frame of each stream.")
@click.option("--keep-all/--drop", default=True)
@click.option("--warm", type=float, default=2.0)
@click.option("--span", type=float, required=True)
@click.argument("videos", nargs=-1, type=click.Path(path_type=Path, exists=True), required=True)
def main(**given: Any) -> None:
    options = Options(given["threads"], given["batch"], given["keep_all"])
    contender.emit(predict(given["model"], given["videos"], options, Meter(given["warm"], given["span"])))


if __name__ == "__main__":
    main()
