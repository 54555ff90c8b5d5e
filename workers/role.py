"""`andon work`: one model, one member of its pool's group. Puts the worker together and runs it until it is stopped."""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass
from typing import Any

from andon.errors import ConfigError
from andon.events import Event, ModelLoaded, SuppressionBuiltIn, fan_out
from andon.pictures.picture import PictureLimits
from andon.process.lifecycle import Life
from andon.process.machine import cores
from andon.process.metrics import Reading
from andon.settings import PoolSettings, Settings
from andon.stream.clients import consumer, producer, started
from andon.stream.clock_watch import watched_clock
from andon.stream.consumer import KafkaConsumer
from andon.stream.duties import watch_duties
from andon.stream.gauges import watch_stage
from andon.stream.publisher import KafkaPublisher
from andon.stream.stage import Limits, Stage
from andon.stream.topic_settings import check_topics
from andon.stream.topics import topic_there
from workers.batcher import Batcher
from workers.decoder_pool import DecoderOptions, DecoderPool
from workers.decoding.choice import place_of
from workers.decoding.context import made_by_ffmpeg
from workers.decoding.place import DecodingPlace
from workers.decoding.video import VideoLimits
from workers.detector import Detector
from workers.gpu_energy import metered
from workers.inference import Inference
from workers.inspector import Deps, Inspector
from workers.model.classes import require_classes
from workers.outcomes import Outcomes
from workers.publications import InspectorOptions
from workers.publisher import Outlet
from workers.quarantine import QuarantineLimit
from workers.runtimes.cache import Exporter
from workers.runtimes.choice import load
from workers.runtimes.trial import in_one_line
from workers.threads import decoder_threads, decoders, detector_threads
from workers.tuning.at_start import tune_at_start
from workers.tuning.tune import TuningProcess

STAGE = "workers"
HELD = 0.7
"""Of `run.stalled_s`: a commit that is held back for longer is taken for work that stands still."""
EXPORT_ENDS_S = 2.0
"""How long a stopped export may take to clean up."""
OpenDetector = Callable[[PoolSettings, str, Exporter], Detector]
"""Opens the detector of a pool with that name, not warmed up."""


async def work(life: Life, pool_name: str, open_detector: OpenDetector | None = None) -> None:
    """Inspect the frames of the pool until `life.stop`. Then finish, commit and leave the group.

    `open_detector`: None measures first how this machine serves the model fastest, where the settings leave that open.

    Raises ConfigError or FatalError, one line each, for an unusable model, topic or broker.
    """
    pool = life.settings.pools.get(pool_name)
    if pool is None:
        known = ", ".join(life.settings.pools)
        raise ConfigError(f"--pool {pool_name}: no such pool; the pools are: {known}")
    with ExitStack() as threads:
        thread = threads.enter_context(detector_threads())
        detector = await _loaded(life, pool_name, open_detector, thread)
        if detector is None:
            return
        place = await _place(life, detector, thread)
        decoding = threads.enter_context(decoder_threads(decoders(life.settings.worker.decode_threads, cores())))
        at_once = detector.info.at_once
        detecting = thread if at_once == 1 else threads.enter_context(detector_threads(at_once))
        await _inspect(life, pool_name, _Hands(detector, detecting, decoding, place))


async def _loaded(life: Life, pool_name: str, open_detector: OpenDetector | None, thread: Executor) -> Detector | None:
    """The model, before the group is joined: partitions never wait for it. None: the role was stopped meanwhile."""
    pool, worker = life.settings.pools[pool_name], life.settings.worker
    if open_detector is None and not await _tuned(life, pool_name, thread):
        return None
    open_model, exporter = open_detector or load, Exporter(worker.export_timeout_s)

    def load_and_warm_up() -> tuple[Detector, float]:
        limit_s = worker.export_timeout_s + worker.load_timeout_s
        shared = made_by_ffmpeg(pool.model.device) if worker.decode == "auto" else nullcontext()
        with life.watchdog.limit("the loading of the model", limit_s, "worker.load_timeout_s"), shared:
            detector = open_model(pool, pool_name, exporter)
        require_classes(life.settings, pool_name, detector.info.classes)
        since_s = life.clock.monotonic()
        named = f"pools.{pool_name}.model.weights: {pool.model.weights}"
        limit = life.watchdog.limit("the model's first inference", worker.load_timeout_s, "worker.load_timeout_s")
        with limit, in_one_line(detector, named):
            detector.warm_up()
        return detector, life.clock.monotonic() - since_s

    loading = asyncio.get_running_loop().run_in_executor(thread, load_and_warm_up)
    if not await _before_stop(life, loading, exporter):
        return None
    detector, warm_up_s = loading.result()
    info = detector.info
    life.emit(
        ModelLoaded(
            pool.model.weights,
            info.digest,
            info.runtime,
            info.device,
            len(info.classes),
            info.imgsz,
            warm_up_s,
            precision=info.precision,
        )
    )
    if info.built_in is not None:
        inside = info.built_in
        life.emit(SuppressionBuiltIn(pool.model.weights, inside.confidence, inside.iou, inside.most))
    return detector


async def _tuned(life: Life, pool_name: str, thread: Executor) -> bool:
    """Whether the role goes on. False: it was stopped meanwhile."""
    loop = asyncio.get_running_loop()
    process = TuningProcess(life.settings.worker.tune_timeout_s)

    def emit(event: Event) -> None:
        loop.call_soon_threadsafe(life.emit, event)

    tuning = loop.run_in_executor(thread, tune_at_start, life.settings, pool_name, process, emit)
    if not await _before_stop(life, tuning, process):
        return False
    tuning.result()
    return True


async def _before_stop(life: Life, loading: asyncio.Future[Any], exporter: Exporter) -> bool:
    """Whether `loading` ends before the role is stopped. If it does not, a running export or measurement is ended."""
    stopping = asyncio.create_task(life.stop.wait(), name="worker.stop")
    try:
        await asyncio.wait({loading, stopping}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopping.cancel()
        exporter.stop()
    if not life.stop.is_set():
        return True
    await asyncio.wait({loading}, timeout=EXPORT_ENDS_S)
    if not loading.cancel():
        loading.exception()  # Ctrl-C reaches an export, too: its failure is no news
    return False


async def _place(life: Life, detector: Detector, thread: Executor) -> DecodingPlace:
    """Where video is decoded."""
    loop, worker = asyncio.get_running_loop(), life.settings.worker

    def emit(event: Event) -> None:
        loop.call_soon_threadsafe(life.emit, event)

    def choose() -> DecodingPlace:
        with life.watchdog.limit(
            "the check of the GPU's video decoder", worker.load_timeout_s, "worker.load_timeout_s"
        ):
            return place_of(detector.info, worker.decode, emit)

    return await loop.run_in_executor(thread, choose)


@dataclass(frozen=True, slots=True)
class _Hands:
    """What does the work, and on which threads."""

    detector: Detector
    detecting: Executor
    decoding: Executor
    place: DecodingPlace
    """Where video is decoded."""


async def _inspect(life: Life, pool_name: str, hands: _Hands) -> None:
    settings, kafka, detector = life.settings, life.settings.kafka, hands.detector
    topic, group = settings.pool_topic(pool_name), settings.worker_group(pool_name)
    async with (
        started(lambda: producer(kafka, life.emit), kafka, life.emit) as sending,
        started(lambda: consumer(kafka, group), kafka, life.emit) as reading,
        asyncio.TaskGroup() as tasks,
    ):
        await topic_there(reading, topic, kafka, life.emit)
        sizes = await check_topics(kafka, [topic, kafka.inspections_topic, kafka.quarantine_topic], life.emit)

        def spawn(work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
            return tasks.create_task(work, name=name)

        batch = settings.pools[pool_name].batch
        clock, watch = watched_clock(life)
        publisher = KafkaPublisher(sending, kafka.request_timeout_s, clock, sizes)
        inference = _inference(life, detector, hands.detecting, batch.size, batch.max_wait_ms)
        decoders = _decoder_pool(life, hands.decoding, detector.info.enough_px)
        outlet, refusals = Outlet(publisher, spawn, life.emit), _quarantine_limit(life)
        deps = Deps(decoders, inference, outlet, refusals, clock, life.tracing, hands.place)
        outcomes, options = Outcomes(life.progress, life.clock), _options(settings, pool_name)
        inspector = Inspector(detector.info, deps, options, clock, fan_out(life.emit, outcomes))
        limits = Limits(settings.worker.max_in_flight, settings.worker.max_in_flight_bytes)
        member = KafkaConsumer(reading, clock)
        stage = Stage(STAGE, member, inspector, limits, clock, life.emit)
        watch_stage(life.metrics, stage, member, clock)
        watch_duties(life.progress, life.metrics, stage, member, ("publish inspections",))
        life.metrics.watch("andon_workers_stalled_seconds", outcomes.stalled)
        helpers = [
            spawn(watch.run(), "worker.clock"),
            spawn(inference.serve(), "worker.detect"),
            spawn(publisher.watch(), "worker.topics"),
            spawn(_ready(life, stage), "worker.ready"),
        ]
        try:
            with metered(detector.info.device, life.emit):
                await stage.run([topic], life.stop)
        finally:
            decoders.close()
        for helper in helpers:
            helper.cancel()


def _quarantine_limit(life: Life) -> QuarantineLimit:
    worker = life.settings.worker
    limit = QuarantineLimit(worker.quarantine_limit, worker.quarantine_window_s, life.emit)

    def readings() -> list[Reading]:
        refused = limit.refused(life.clock.monotonic())
        return [((camera_id,), float(past)) for camera_id, past in refused.items()]

    life.metrics.watch("andon_workers_camera_refused", readings)
    return limit


def _inference(life: Life, detector: Detector, threads: Executor, size: int, max_wait_ms: float) -> Inference:
    limit_s = life.settings.worker.inference_timeout_s
    on_cpu = detector.info.device.lower() == "cpu"
    batcher = Batcher[Any](size, max_wait_ms / 1000, enough=cores() if on_cpu else None)
    return Inference(
        detector,
        threads,
        batcher,
        life.clock,
        life.emit,
        lambda: life.watchdog.limit("the model", limit_s, "worker.inference_timeout_s"),
    )


def _decoder_pool(life: Life, threads: Executor, enough_px: int) -> DecoderPool:
    worker = life.settings.worker
    limits = PictureLimits(worker.max_frame_bytes, worker.max_frame_pixels)
    options = DecoderOptions(
        decoders(worker.decode_threads, cores()),
        limits,
        enough_px,
        lambda: life.watchdog.limit("a picture's decoder", worker.decode_timeout_s, "worker.decode_timeout_s"),
    )
    return DecoderPool(threads, options, life.clock)


def _options(settings: Settings, pool_name: str) -> InspectorOptions:
    return InspectorOptions(
        settings.kafka.inspections_topic,
        settings.kafka.quarantine_topic,
        settings.kafka.max_record_bytes,
        # two batches with the detector, one gathering
        3 * settings.pools[pool_name].batch.size + decoders(settings.worker.decode_threads, cores()),
        VideoLimits(
            PictureLimits(settings.worker.max_frame_bytes, settings.worker.max_frame_pixels),
            settings.worker.max_decoders,
            min(settings.worker.group_hold_s, HELD * settings.run.stalled_s),
        ),
        pool_name,
    )


async def _ready(life: Life, stage: Stage) -> None:
    await stage.joined.wait()
    life.ready()
