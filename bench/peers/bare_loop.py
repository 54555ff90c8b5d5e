"""Upper limits: pictures through Andon's decoder and model with nothing around them.

`python -m bench.peers.bare_loop best|loop|video` prints one JSON line.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import chain, cycle, islice
from pathlib import Path

import av
import click
import numpy as np
from av.video.reformatter import VideoReformatter

from andon.pictures.picture import PictureLimits
from andon.pictures.reader import decode
from andon.settings import BatchSettings, ModelSettings, PoolSettings, WorkerSettings
from bench.harness import clips, contender
from bench.harness.contender import Meter, Throughput
from bench.harness.core_load import on_all_cores
from workers.detector import Detections, Detector, Picture
from workers.runtimes.choice import load
from workers.threads import decoder_threads, detector_threads

BATCHES = (1, 4, 8, 16)
LARGE = (32, 64)
"""Also tried if there is a GPU."""
DECODERS = (1, 2)
FINALISTS = 3
_OWN = WorkerSettings()
LIMITS = PictureLimits(_OWN.max_frame_bytes, _OWN.max_frame_pixels)


def detector(batch: int, imgsz: int | None = None) -> Detector:
    """The fastest runtime on this machine, as the worker chooses it, warmed up."""
    model = ModelSettings(weights=str(clips.MODEL), confidence=clips.CONFIDENCE, imgsz=imgsz)
    fastest = load(PoolSettings(model=model, batch=BatchSettings(size=batch)), "default")
    fastest.warm_up()
    return fastest


def decode_for_model(jpeg: bytes) -> Picture:
    """Decode as the worker does for the model: no larger than the model needs."""
    return decode(jpeg, "image/jpeg", LIMITS, clips.IMGSZ).pixels


@dataclass(frozen=True, slots=True)
class Setup:
    """How the bare loop runs."""

    model: Detector
    batch: int
    decoders: int
    at_once: int = 1
    """The number of batches that the model has at a time."""


def loop(setup: Setup, jpegs: list[bytes], meter: Meter) -> Throughput:
    """Decode on separate threads, two batches ahead of the inference, so that all cores are busy."""
    model, batch, endless = setup.model, setup.batch, cycle(jpegs)
    with decoder_threads(setup.decoders) as threads, detector_threads(setup.at_once) as detecting:

        def begin() -> list[Future[Picture]]:
            return [threads.submit(decode_for_model, jpeg) for jpeg in islice(endless, batch)]

        ahead = deque([begin(), begin()])
        pending: deque[Future[list[Detections]]] = deque()
        while True:
            pictures = [each.result() for each in ahead.popleft()]
            ahead.append(begin())
            pending.append(detecting.submit(model.detect, pictures))
            if len(pending) < setup.at_once:
                continue
            pending.popleft().result()
            if not meter.add(batch):
                break
        for each in chain.from_iterable(ahead):
            each.cancel()
        for detected in pending:  # nobody joins the threads, and the next loop needs the model's buffers
            detected.result()
    info = model.info
    about = {"batch": batch, "decoders": setup.decoders, "at_once": setup.at_once}
    return meter.result(**about, runtime=info.runtime, device=info.device)


def interleaved(count: int = clips.FRAMES) -> list[bytes]:
    """JPEGs of each camera in turn."""
    return list(chain.from_iterable(zip(*clips.all_jpegs(count).values(), strict=True)))


@click.group()
def main() -> None:
    """Measure the limits."""


@main.command("loop")
@click.option("--batch", type=int, required=True)
@click.option("--decoders", type=int, required=True)
@click.option("--at-once", type=int, required=True)
@click.option("--warm", type=float, default=2.0)
@click.option("--span", type=float, required=True)
def _loop(batch: int, decoders: int, at_once: int, warm: float, span: float) -> None:
    contender.emit(loop(Setup(detector(batch), batch, decoders, at_once), interleaved(), Meter(warm, span)))


@main.command("best")
@click.option("--span", type=float, required=True)
def _best(span: float) -> None:
    """Try each setup for SPAN: batch size, batches at a time, number of decoders. Then try the best few for longer.

    Prints the best one.
    """
    jpegs = interleaved(120)
    sizes = BATCHES + LARGE if detector(1).info.device.startswith("cuda") else BATCHES
    setups = [
        Setup(model, batch, decoders, at_once)
        for batch in sizes
        for model in [detector(batch)]
        for at_once in sorted({1, model.info.at_once})
        for decoders in DECODERS
    ]
    trials = [(loop(setup, jpegs, Meter(0.3, span)), setup) for setup in setups]
    trials.sort(key=lambda pair: pair[0].frames_per_s, reverse=True)
    final = [loop(setup, jpegs, Meter(0.3, 2 * span)) for _, setup in trials[:FINALISTS]]
    best = max(final, key=lambda result: result.frames_per_s)
    rates = {_setup_name(result): round(result.frames_per_s, 1) for result in [*(pair[0] for pair in trials), *final]}
    contender.emit(Throughput(best.frames, best.wall_s, best.cpu_s, {**best.more, "tried_frames_per_s": rates}))


def _setup_name(result: Throughput) -> str:
    return f"{result.more['at_once']} x batch {result.more['batch']}, decoders {result.more['decoders']}"


def video_parts(videos: Sequence[Path], imgsz: int | None, batch: int, span_s: float) -> dict[str, float]:
    """CPU ms a frame of what no line can do without: decoding the cameras' H.264 to BGR, and inference.

    Every core is busy with the part. Cores that share a cache slow each other down.
    """
    pictures = [picture for video in videos for picture in islice(_decoded(video), 3 * batch)]
    model = detector(batch, imgsz)

    def infer() -> Iterator[int]:
        for start in cycle(range(0, len(pictures) - batch + 1, batch)):
            model.detect(pictures[start : start + batch])
            yield batch

    def decode_all() -> Iterator[int]:
        for video in cycle(videos):
            for _ in _decoded(video):
                yield 1

    return {
        "decode_cpu_ms": on_all_cores(decode_all, span_s / 2),
        "inference_cpu_ms": on_all_cores(infer, span_s / 2, threads=1),  # it uses all cores by itself
    }


def _decoded(video: Path) -> Iterator[Picture]:
    """On one thread, as cheaply as PyAV can."""
    converter = VideoReformatter()  # one for all pictures: a new one computes its tables first
    with av.open(str(video)) as clip:
        clip.streams.video[0].codec_context.thread_type = "NONE"
        for frame in clip.decode(video=0):
            yield np.asarray(converter.reformat(frame, format="bgr24", threads=1).to_ndarray(), np.uint8)


@main.command("video")
@click.option("--imgsz", type=int, help="Default: what the model was trained at.")
@click.option("--batch", type=int, required=True)
@click.option("--span", type=float, required=True, help="Of both parts together.")
@click.argument("videos", nargs=-1, type=click.Path(path_type=Path, exists=True), required=True)
def _video(videos: tuple[Path, ...], imgsz: int | None, batch: int, span: float) -> None:
    costs = video_parts(videos, imgsz, batch, span)
    contender.emit(Throughput(1, span, sum(costs.values()) / 1000, costs))


if __name__ == "__main__":
    main()
