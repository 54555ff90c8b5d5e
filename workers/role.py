"""`andon work`: one model, one member of its pool's group. Puts the worker together and sees it through its life."""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from contextlib import ExitStack
from typing import Any

from andon.errors import ConfigError, FatalError
from andon.events import ModelLoaded
from andon.process.lifecycle import Life
from andon.settings import PoolSettings, Settings
from andon.stream.clients import consumer, producer, started
from andon.stream.consumer import KafkaConsumer
from andon.stream.gauges import watch_stage
from andon.stream.publisher import KafkaPublisher
from andon.stream.stage import Limits, Stage
from andon.stream.topics import topic_there
from workers.batcher import Batcher
from workers.decoder_pool import Decoding
from workers.decoding import decode
from workers.detector import Detector
from workers.inference import Detecting, detector_threads
from workers.inspector import Bench, Inspector, Route
from workers.model.classes import require_classes
from workers.publisher import Outlet
from workers.quarantine import QuarantineLimit
from workers.runtimes.choice import load

STAGE = "workers"
OpenDetector = Callable[[PoolSettings, str], Detector]
"""The detector of a pool of that name, not warmed up."""


async def work(life: Life, pool_name: str, open_detector: OpenDetector = load) -> None:
    """Inspect the frames of the pool until told to stop; then finish, commit and leave the group.

    Raises ConfigError or FatalError, one line each, for a model, a topic or a broker that is not as it should be.
    """
    pool = life.settings.pools.get(pool_name)
    if pool is None:
        known = ", ".join(life.settings.pools)
        raise ConfigError(f"--pool {pool_name}: no such pool; the pools are: {known}")
    with (
        detector_threads() as thread,
        decode.decode_threads(life.settings.worker.decode_threads) as decoders,
        ExitStack() as more,
    ):
        try:
            detector = await _warm(life, lambda: open_detector(pool, pool_name), pool_name, thread)
        except FatalError:
            if life.stop.is_set():  # Ctrl-C reaches a process that exports, too
                return
            raise
        if not life.stop.is_set():
            at_once = detector.info.at_once
            threads = thread if at_once == 1 else more.enter_context(detector_threads(at_once))
            await _inspect(life, pool_name, detector, threads, decoders)


async def _warm(life: Life, opened: Callable[[], Detector], pool_name: str, thread: Executor) -> Detector:
    """The model, before the group is joined: partitions never wait for it."""

    def loaded() -> tuple[Detector, float]:
        detector = opened()
        require_classes(life.settings, pool_name, detector.info.classes)
        since = life.clock.monotonic()
        detector.warm_up()
        return detector, life.clock.monotonic() - since

    detector, warm_up_s = await asyncio.get_running_loop().run_in_executor(thread, loaded)
    info, weights = detector.info, life.settings.pools[pool_name].model.weights
    counted = len(info.classes)
    life.emit(
        ModelLoaded(
            weights, info.digest, info.runtime, info.device, counted, info.imgsz, warm_up_s, precision=info.precision
        )
    )
    return detector


async def _inspect(life: Life, pool_name: str, detector: Detector, threads: Executor, decoders: Executor) -> None:
    settings, kafka = life.settings, life.settings.kafka
    topic, group = settings.pool_topic(pool_name), settings.worker_group(pool_name)
    async with (
        started(lambda: producer(kafka), kafka, life.emit) as sending,
        started(lambda: consumer(kafka, group), kafka, life.emit) as reading,
        asyncio.TaskGroup() as tasks,
    ):
        await topic_there(reading, topic, kafka, life.emit)

        def spawn(work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
            return tasks.create_task(work, name=name)

        batch = settings.pools[pool_name].batch
        detecting = Detecting(detector, threads, Batcher(batch.size, batch.max_wait_ms / 1000), life.clock, life.emit)
        pictures = decode.Limits(settings.worker.max_frame_bytes, settings.worker.max_frame_pixels)
        count, enough_px = settings.worker.decode_threads, detector.info.enough_px
        decoding = Decoding(decoders, count, pictures, enough_px, life.clock)
        bench = Bench(
            decoding,
            detecting,
            Outlet(KafkaPublisher(sending), spawn, life.emit),
            QuarantineLimit(settings.worker.quarantine_limit, settings.worker.quarantine_window_s),
        )
        inspector = Inspector(detector.info, bench, _route(settings, batch.size), life.clock, life.emit)
        limits = Limits(settings.worker.max_in_flight, settings.worker.max_in_flight_bytes)
        member = KafkaConsumer(reading)
        stage = Stage(STAGE, member, inspector, limits, life.clock, life.emit)
        watch_stage(life.metrics, stage, member, life.clock)
        helpers = [spawn(detecting.run(), "worker.detect"), spawn(_ready(life, stage), "worker.ready")]
        await stage.run([topic], life.stop)
        for helper in helpers:
            helper.cancel()


def _route(settings: Settings, batch_size: int) -> Route:
    return Route(
        settings.kafka.inspections_topic,
        settings.kafka.quarantine_topic,
        settings.kafka.max_record_bytes,
        # two batches with the detector, one gathering
        3 * batch_size + settings.worker.decode_threads,
    )


async def _ready(life: Life, stage: Stage) -> None:
    await stage.joined.wait()
    life.ready()
