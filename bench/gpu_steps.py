"""The steps of `bench.gpu`, over the worker's own code. The pure parts are tested, and what a card does is tested with
pictures in the host's memory; the rest runs where a GPU is."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from itertools import cycle
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch
from av.codec.hwaccel import HWAccel

from andon.clock import SystemClock
from andon.messages import Frame
from andon.pictures.picture import PictureLimits, Pixels
from andon.settings import ModelSettings
from andon.video.decoder import DecodedUnit, GroupDecoder
from bench.harness import clips
from bench.harness.consumer_log import ConsumerLog
from bench.harness.context import Context
from bench.harness.file_line import FileLine, document_of
from bench.harness.plant_clips import DRAWN, HEIGHT_PX, IMGSZ, WIDTH_PX, plant_clips
from bench.harness.roles import Roles
from bench.harness.topic_reader import read_messages
from bench.measurements.plant_line import within
from sample_streams.observer import percentile
from workers.decoding.card import gpu
from workers.decoding.card_check import why_not
from workers.decoding.place import HOST, DecodingPlace
from workers.decoding.stream import CameraStream, VideoRecord
from workers.detector import Detector
from workers.runtimes.choice import open_model
from workers.runtimes.installed import installed
from workers.runtimes.setup import Setup

SPAN_S = 5.0
DECODERS = (1, 4, 8, 16)
"""Streams that are decoded side by side."""
BATCHES = (8, 32)
HOLDS_MS = 150.0
FPS = 30.0
STREAMS = (4, 8, 16, 24, 32, 48, 64)
LIVE_S = 10.0
LIMITS = PictureLimits(8_000_000, 40_000_000)
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
ROUNDS = 2


def capability() -> dict[str, Any]:
    properties = torch.cuda.get_device_properties(0)
    return {
        "name": properties.name,
        "compute": f"{properties.major}.{properties.minor}",
        "memory_gb": round(properties.total_memory / 1e9, 1),
        "torch": torch.__version__,
        "tensorrt_installed": installed("tensorrt"),
        "decodes_h264": why_not(gpu("0", lambda _: None)) or True,
    }


def units(context: Context) -> list[bytes]:
    """The plant's access units, in Annex B."""
    (video,) = plant_clips(context.folder / "plant", 1, 1).values()
    found = []
    with av.open(str(video)) as clip:
        stream = clip.streams.video[0]
        filtering = av.BitStreamFilterContext("h264_mp4toannexb", stream)
        for packet in clip.demux(stream):
            found += [bytes(one) for one in filtering.filter(packet) if one.size]
    return found


def pixels_equal(context: Context) -> dict[str, Any]:
    """As they come out of the decoder, before any conversion."""
    copied = HWAccel("cuda", device="0", allow_software_fallback=False)
    ours = [planes(unit) for unit in decoded(GroupDecoder("video/h264", copied), units(context))]
    theirs = [planes(unit) for unit in decoded(GroupDecoder("video/h264"), units(context))]
    same = sum(all(map(np.array_equal, one, other)) for one, other in zip(ours, theirs, strict=True))
    return {"frames": len(theirs), "equal": same}


def decoded(decoder: GroupDecoder, given: Sequence[bytes]) -> list[DecodedUnit]:
    return [*(unit for number, one in enumerate(given) for unit in decoder.feed(one, number)), *decoder.flush()]


def planes(unit: DecodedUnit) -> list[np.ndarray]:
    """Luma and both chromas, whether they lie in planes of their own (software) or interleaved (the card's NV12)."""
    return [np.asarray(plane) for plane in np.split(unit.frame.reformat(format="yuv420p").to_ndarray(), [HEIGHT_PX])]


def pictures_on_card(context: Context) -> dict[str, Any]:
    """From access units to what the model sees, as a worker makes it, against a worker without a card."""
    given, notes = units(context), list[str]()
    return compared(gpu("0", notes.append).place, given) | {"in_software": notes}


def compared(place: DecodingPlace, given: Sequence[bytes]) -> dict[str, Any]:
    ours, theirs = pixels_of(place, given), pixels_of(HOST, given)
    pairs = zip(ours, theirs, strict=True)
    apart = max(int(np.abs(on_host(one).astype(int) - on_host(other)).max()) for one, other in pairs)
    on_card = sum(not isinstance(one, np.ndarray) for one in ours)
    return {"frames": len(theirs), "on_card": on_card, "largest_difference": apart}


def pixels_of(place: DecodingPlace, given: Sequence[bytes]) -> list[Pixels]:
    """The pictures of a camera that sends these access units of H.264."""
    camera = CameraStream(LIMITS, SystemClock(), place.open_decoder, place.pictures())
    out = [outcome for number, unit in enumerate(given) for outcome in camera.take(_record(unit, number))]
    return [one.picture.pixels for one in [*out, *camera.lose("it ends")] if one.picture is not None]


def _record(unit: bytes, number: int) -> VideoRecord:
    frame = Frame(
        camera_id="plant",
        session="bench",
        seq=number,
        captured_at=BEGIN,
        clock="file",
        width=WIDTH_PX,
        height=HEIGHT_PX,
        content_type="video/h264",
        payload=unit,
    )
    return VideoRecord(frame, number)


def on_host(pixels: Pixels) -> np.ndarray:
    return pixels if isinstance(pixels, np.ndarray) else np.asarray(pixels.cpu())


def decode_alone(context: Context) -> dict[str, Any]:
    """From access units to pictures, on as many threads as streams."""
    given, place = units(context), gpu("0", lambda _: None).place
    rates = {f"{count}_streams": rate_per_s(count, lambda: _decoding(given, place)) for count in DECODERS}
    return {"frames_per_s": rates, "software_1_stream": rate_per_s(1, lambda: _decoding(given, HOST))}


def _decoding(given: Sequence[bytes], place: DecodingPlace) -> Iterator[int]:
    camera = CameraStream(LIMITS, SystemClock(), place.open_decoder, place.pictures())
    for number, unit in enumerate(cycle(given)):
        yield len(camera.take(_record(unit, number)))


def inference_alone() -> dict[str, Any]:
    picture = np.full((HEIGHT_PX, WIDTH_PX, 3), 114, np.uint8)
    setups = [Setup("torch", "fp16"), *([Setup("tensorrt", "fp16")] if installed("tensorrt") else [])]
    model = ModelSettings(weights=str(clips.MODEL), confidence=clips.CONFIDENCE, imgsz=IMGSZ, device="cuda:0")
    rates = {}
    for setup in setups:
        for batch in BATCHES:
            detector = open_model(model, batch, "model", setup=setup)
            detector.warm_up()
            for where, shown in (("the host", picture), ("the card", torch.from_numpy(picture).cuda())):
                named = f"{setup.runtime} {setup.precision}, batches of {batch} from {where}"
                rates[named] = rate_per_s(1, partial(_inferring, detector, [shown] * batch))
    return {"frames_per_s": rates}


def _inferring(detector: Detector, pictures: Sequence[Pixels]) -> Iterator[int]:
    while True:
        yield len(detector.detect(pictures))


def rate_per_s(threads: int, work: Callable[[], Iterator[int]]) -> float:
    """Frames a second of this number of threads, each of which runs `work`. A failure on a thread is raised here."""
    counts, failures, stop = [0] * threads, list[BaseException](), threading.Event()

    def busy(index: int) -> None:
        try:
            for frames in work():
                counts[index] += frames
                if stop.is_set():
                    return
        except BaseException as error:  # raised again where it is awaited
            failures.append(error)

    running = [threading.Thread(target=busy, args=(index,), daemon=True) for index in range(threads)]
    for thread in running:
        thread.start()
    stop.wait(1.0)  # until all are under way
    before, since_s = sum(counts), time.perf_counter()
    stop.wait(SPAN_S)
    rate = (sum(counts) - before) / (time.perf_counter() - since_s)
    stop.set()
    for thread in running:
        thread.join(10.0)
    if failures:
        raise failures[0]
    return round(rate, 1)


def worker_drained(context: Context) -> dict[str, Any]:
    """Ingest fills the topic, then a worker empties it: with its video decoded on the card, and in software."""
    return {"frames_per_s": {decode: _drained(context, decode) for decode in ("auto", "software")}}


def _drained(context: Context, decode: str) -> float:
    videos = plant_clips(context.folder / "plant", 4, 8)
    line = FileLine(videos, 4 * 8 * DRAWN, imgsz=IMGSZ)
    document = document_of(context, line)
    document.setdefault("worker", {})["decode"] = decode
    with Roles(context.new_folder("roles"), document) as roles:
        roles.create_topics()
        roles.start("ingest", "ingest")
        roles.until(lambda: _metric(roles, "ingest", "andon_ingest_frames_captured_total") >= line.frames, 60, "frames")
        roles.stop("ingest")
        roles.start("worker", "work")
        first, since_s = _inspected(roles), time.perf_counter()
        roles.until(lambda: _inspected(roles) >= line.frames, 120, "all inspections")
        return round((line.frames - first) / (time.perf_counter() - since_s), 1)


def _inspected(roles: Roles) -> float:
    return _metric(roles, "worker", "andon_workers_frames_inspected_total")


def _metric(roles: Roles, name: str, metric: str) -> float:
    return roles.metrics(name).get(metric, 0.0)


def streams_that_hold(context: Context) -> dict[str, Any]:
    p95_ms: dict[int, float | None] = {}

    def holds(count: int) -> bool:
        p95_ms[count] = _live_p95_ms(context, count)
        value = p95_ms[count]
        return value is not None and value <= HOLDS_MS

    return {"streams": largest_that_holds(STREAMS, holds), "p95_ms": {str(key): value for key, value in p95_ms.items()}}


def largest_that_holds(counts: Sequence[int], holds: Callable[[int], bool]) -> int:
    """Of rising counts, the last before one that does not hold. 0: not even the first does."""
    largest = 0
    for count in counts:
        if not holds(count):
            break
        largest = count
    return largest


def _live_p95_ms(context: Context, count: int) -> float | None:
    """Capture to inspection. None: not all frames were inspected in time."""
    (video,) = plant_clips(context.folder / "plant", 1, ROUNDS).values()
    line = FileLine({}, 0, imgsz=IMGSZ)
    document = document_of(context, line)
    url = str(_at_rate(video, context.folder / "plant" / "live.mp4"))
    camera = {"url": url, "pace": "realtime", "loop": True, "encoding": "passthrough"}
    document["cameras"] = [{"id": f"camera-{number:02}", **camera} for number in range(count)]
    log = ConsumerLog("camera-")
    with Roles(context.new_folder("roles"), document) as roles:
        roles.create_topics()
        roles.start("worker", "work")
        roles.start("ingest", "ingest")
        time.sleep(LIVE_S)
        roles.stop("ingest")
        kafka = roles.settings.kafka
        asyncio.run(within(read_messages(kafka, kafka.inspections_topic, log.add_inspection)))
    inspected = [each for each, _ in log.inspections if each.outcome == "inspected"]
    spans_ms = [1000 * (each.inspected_at - each.captured_at).total_seconds() for each in inspected]
    enough = len(spans_ms) >= 0.8 * count * FPS * LIVE_S * 0.7
    return percentile(spans_ms, 95) if enough else None


def _at_rate(video: Path, target: Path) -> Path:
    from bench.harness.clip_rate import at_rate  # noqa: PLC0415 - only here

    return target if target.exists() else at_rate(video, target, FPS)
