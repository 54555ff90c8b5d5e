"""Ultralytics' own way to watch several streams: `YOLO.predict` over a `.streams` list, as its documentation shows.

Its reader takes one frame of each stream for a batch. By default it drops, silently, what it has no time for, after
having decoded it; with `stream_buffer` it keeps every frame, as Andon does. What it inferred is what counts here.

Source: docs.ultralytics.com/modes/predict, "Multi-Stream".
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from bench.harness import contender
from bench.harness.contender import Meter, Result
from bench.peers.model import ASK, use_threads, yolo


@dataclass(frozen=True, slots=True)
class Options:
    threads: int
    batch: int
    keep_all: bool


def predict(model: str, videos: Sequence[Path], options: Options, meter: Meter) -> Result:
    """Until the meter has enough, or the shortest video ends."""
    with tempfile.TemporaryDirectory() as folder, yolo(model) as detector:
        streams = Path(folder) / "line.streams"
        streams.write_text("\n".join(str(video) for video in videos) + "\n")
        results = detector.predict(
            source=str(streams), stream=True, stream_buffer=options.keep_all, batch=options.batch, **ASK
        )
        found = frames = 0
        for result in results:
            if not frames:
                use_threads(options.threads)
            frames += 1
            found += len(result.boxes)
            if not meter.add(1):
                break
        told = {"batch": options.batch, "threads": options.threads, "keep_all": options.keep_all}
        return meter.result(**told, detections_a_frame=round(found / frames, 3))


@click.command()
@click.option("--model", type=click.Choice(["pt", "same"]), required=True)
@click.option("--threads", type=int, default=0, help="0: as ultralytics sets them.")
@click.option("--batch", type=int, default=1, help="What it tells the runtime; its batches are one of each stream.")
@click.option("--keep-all/--drop", default=True)
@click.option("--warm", type=float, default=2.0)
@click.option("--span", type=float, required=True)
@click.argument("videos", nargs=-1, type=click.Path(path_type=Path, exists=True), required=True)
def main(**given: Any) -> None:
    options = Options(given["threads"], given["batch"], given["keep_all"])
    contender.tell(predict(given["model"], given["videos"], options, Meter(given["warm"], given["span"])))


if __name__ == "__main__":
    main()
