"""What a frame of one resolution costs, in CPU time, in bytes and in the model, measured or published. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from pathlib import PurePath
from typing import Literal

from deploy.sizing import published
from deploy.sizing.measured import BenchFigures, Encoding, LineFigures, ModelFigures, PictureFigures
from deploy.sizing.published import CPU, LATENCY_TIMES, PUBLISHED_IMGSZ, TRAVELS, Cost

Basis = Literal["measured", "published", "assumed"]
STRENGTH: tuple[Basis, ...] = ("measured", "published", "assumed")
BENCH = "andon bench"
WINDOW_MS = 20.0
"""The default of `pools.X.batch.max_wait_ms`."""
BATCHES = (1, 2, 4, 8)
"""The last one is the default of `pools.X.batch.size`."""


@dataclass(frozen=True, slots=True)
class SourcedNumber:
    """A number, and whence it is known."""

    value: float
    basis: Basis
    source: str


def weakest(*numbers: SourcedNumber) -> Basis:
    """A figure is as good as the worst of the numbers that it was computed from."""
    return max((number.basis for number in numbers), key=STRENGTH.index)


@dataclass(frozen=True, slots=True)
class Resolution:
    width: int
    height: int

    @property
    def pixels(self) -> int:
        return self.width * self.height

    def __str__(self) -> str:
        return f"{self.width}x{self.height}"


@dataclass(frozen=True, slots=True)
class FrameCosts:
    """Of one frame. Times are CPU ms of one core; the model is apart."""

    encoding: Encoding
    bytes: SourcedNumber
    ingest_ms: SourcedNumber
    worker_ms: SourcedNumber
    sinks_ms: SourcedNumber
    broker_ms: SourcedNumber
    """Broker and Redis. Only measured: on a farm they have hosts of their own."""

    @property
    def all_ms(self) -> float:
        return self.ingest_ms.value + self.worker_ms.value + self.sinks_ms.value + self.broker_ms.value


@dataclass(frozen=True, slots=True)
class BatchTime:
    batch: int
    ms: float
    """For each frame; a GPU, or a host's whole processor, does nothing else."""
    batch_ms: float
    cpu_ms: float
    """For each frame, of one core."""


@dataclass(frozen=True, slots=True)
class ModelSpeed:
    on_gpu: bool
    window_ms: float
    batches: Sequence[BatchTime]
    """The smallest first."""
    basis: Basis
    source: str

    def fastest_within(self, latency_s: float) -> BatchTime | None:
        """The batch with most frames a second whose p99 keeps the aim; None: there is none."""
        fitting = [each for each in self.batches if self.p99_ms(each) <= latency_s * 1000]
        return min(fitting, key=lambda each: (each.ms, -each.batch), default=None)

    def p99_ms(self, of: BatchTime) -> float:
        """From capture to inspection, at the load that is planned for."""
        return LATENCY_TIMES * (self.window_ms + of.batch_ms)


# ---- frames


def published_costs(at: Resolution, encoding: Encoding) -> FrameCosts:
    def known(cost: Cost) -> SourcedNumber:
        return SourcedNumber(cost.frame_ms + cost.megapixel_ms * at.pixels / 1e6, "published", published.PROJECT)

    travel = TRAVELS[encoding]
    size = f"{travel.bytes_a_pixel:g} bytes a pixel: {travel.bytes_source}"
    return FrameCosts(
        encoding,
        SourcedNumber(travel.bytes_a_pixel * at.pixels, "assumed", size),
        known(travel.ingest),
        known(travel.worker),
        known(published.SINKS),
        SourcedNumber(0.0, "published", "brokers have hosts of their own"),
    )


def measured_costs(at: Resolution, bench: BenchFigures, encoding: Encoding) -> FrameCosts:
    """Where the bench lacks something, as published."""
    usual = published_costs(at, encoding)
    if not bench.pictures:
        return usual
    nearest = min(bench.pictures, key=lambda each: abs(each.pixels - at.pixels))
    scale = at.pixels / nearest.pixels
    source = BENCH if scale == 1 else f"{BENCH} at {nearest.width}x{nearest.height}, times {scale:.2f} for its pixels"
    own = own_costs(bench)
    basis: Basis = "measured"
    both = source
    if bench.line is None:
        basis, both = "published", f"pictures: {source}; the rest: {published.PROJECT}"

    def with_own(pictures_ms: float, process: str) -> SourcedNumber:
        return SourcedNumber(pictures_ms * scale + own[process], basis, both)

    ingest_ms, worker_ms = _pictures_ms(nearest, encoding)
    size = nearest.jpeg_bytes if encoding == "jpeg" else nearest.h264_bytes
    return FrameCosts(
        encoding,
        SourcedNumber(size * scale, "measured", source) if size else usual.bytes,
        with_own(ingest_ms, "ingest"),
        with_own(worker_ms, "workers"),
        SourcedNumber(own["sinks"], basis, both),
        SourcedNumber(own["broker"], basis, both),
    )


def own_costs(bench: BenchFigures) -> dict[str, float]:
    """CPU ms a frame that each process takes besides pictures and model, whatever the resolution."""
    line = bench.line
    if line is None:
        travel = TRAVELS[bench.encoding]
        usual = {"ingest": travel.ingest, "workers": travel.worker, "sinks": published.SINKS}
        return {name: cost.frame_ms for name, cost in usual.items()} | {"broker": 0.0}
    pictures = _of_line(line, bench.pictures)
    scale = line.width * line.height / pictures.pixels
    ingest_ms, worker_ms = _pictures_ms(pictures, bench.encoding)
    ingest = line.cpu_ms["ingest"] - scale * ingest_ms
    workers = line.cpu_ms["workers"] - scale * worker_ms - _cpu_ms(bench.model)
    servers = line.cpu_ms.get("broker", 0.0) + line.cpu_ms.get("redis", 0.0)
    return {"ingest": max(0.0, ingest), "workers": max(0.0, workers), "sinks": line.cpu_ms["sinks"], "broker": servers}


def _pictures_ms(pictures: PictureFigures, encoding: Encoding) -> tuple[float, float]:
    """What decoding and encoding take of ingest and of a worker."""
    if encoding == "passthrough":
        return 0.0, pictures.h264_decode_ms
    return pictures.h264_decode_ms + pictures.jpeg_encode_ms, pictures.jpeg_decode_ms


def _of_line(line: LineFigures, pictures: Sequence[PictureFigures]) -> PictureFigures:
    return min(pictures, key=lambda each: abs(each.pixels - line.width * line.height))


def _cpu_ms(model: ModelFigures | None) -> float:
    return min((each.cpu_ms for each in model.batches), default=0.0) if model else 0.0


# ---- models


def published_speed(model: str, gpu: str, imgsz: int) -> ModelSpeed | None:
    """None: nobody has published that model on a CPU. Both names are known."""
    times = published.MODELS[model]
    size = (imgsz / PUBLISHED_IMGSZ) ** 2
    scaled = "" if imgsz == PUBLISHED_IMGSZ else f", times {size:.2f} for {imgsz} pixels"
    if gpu == CPU:
        if times.cpu_ms is None:
            return None
        return _speed(times.cpu_ms * size, on_gpu=False, source=published.ULTRALYTICS_CPU + scaled)
    factor = published.times_t4(gpu)
    faster = "" if gpu == "t4" else f"; {gpu} = {factor:.2f} x T4, {published.DATA_SHEETS}"
    return _speed(times.t4_ms * size / factor, on_gpu=True, source=times.source + faster + scaled)


def _speed(ms: float, *, on_gpu: bool, source: str) -> ModelSpeed:
    """Published tables have batches of one; larger ones are taken to be no faster a frame, on the safe side."""
    batches = [BatchTime(size, ms, size * ms, 0.0 if on_gpu else ms) for size in BATCHES]
    return ModelSpeed(on_gpu, WINDOW_MS, batches, "published", source)


def measured_speed(model: ModelFigures) -> ModelSpeed:
    batches = [BatchTime(each.batch, each.ms, each.batch_ms, each.cpu_ms) for each in model.batches]
    source = f"{BENCH}: {PurePath(model.weights).name}, {model.runtime} on {model.device}"
    return ModelSpeed(model.on_gpu, model.window_ms, batches, "measured", source)


def per_s(ms: float) -> float:
    return 1000 / ms if ms > 0 else inf
