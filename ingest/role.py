"""The ingest process: its cameras side by side, one producer, its gauges."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import cv2

from andon import filesystem
from andon.errors import ConfigError, FatalError
from andon.events import ServerUnfit, SettingOutdated
from andon.messages import ImageHealth
from andon.process.lifecycle import Life
from andon.process.metrics import Reading
from andon.settings import CameraSettings, Settings
from andon.stream.broker_clock import BrokerClock
from andon.stream.clients import admin, producer, started
from andon.stream.clock_watch import watched_clock
from andon.stream.publisher import KafkaPublisher, Publisher
from andon.stream.topic_settings import check_topics
from ingest.boundary import Boundary
from ingest.camera import Camera, CameraOptions
from ingest.capture import Tools
from ingest.publisher import Route
from ingest.second_way import SecondWay
from ingest.sources.choice import open_source
from ingest.spool import SpoolPlace
from ingest.spool_thread import SpoolThread


async def ingest_role(life: Life, only: frozenset[str] = frozenset(), *, once: bool = False) -> None:
    """Run the line's cameras (those named in `only`; all if it is empty) until `life.stop` is set.

    `once`: return when every camera has come to its end, which only files and folders do.

    Raises:
        FatalError: no broker, or its topics are missing, now or later; the broker refuses the records for good; every
            camera fails in a way that nobody foresaw.
        ConfigError: a camera is named that the line does not have.
    """
    chosen = choose(life.settings, only)
    for event in (*outdated(life.settings), *spool_risks(life.settings, chosen)):
        life.emit(event)
    cv2.setNumThreads(1)  # the cameras side by side are the parallelism
    kafka = life.settings.kafka
    topics = await _topics(life, chosen)
    limits = await check_topics(kafka, topics, life.emit)
    async with started(lambda: producer(kafka, life.emit), kafka, life.emit) as client:
        clock, watch = watched_clock(life)
        publisher = KafkaPublisher(client, kafka.request_timeout_s, clock, limits)
        second_way = SecondWay(kafka)
        shared = Shared(Boundary(settings.id for settings in chosen), second_way)
        cameras = [
            _camera(settings, life, publisher, clock, _options(settings, life, chosen, shared)) for settings in chosen
        ]
        _add_gauges(life, cameras)
        async with asyncio.TaskGroup() as watching:
            beside = [
                watching.create_task(publisher.watch(), name="ingest.topics"),
                watching.create_task(watch.run(), name="ingest.clock"),
                watching.create_task(second_way.run(), name="ingest.second_way"),
            ]
            async with asyncio.TaskGroup() as group:
                for camera in cameras:
                    group.create_task(camera.run(life.stop), name=f"camera.{camera.settings.id}")
                life.ready()
            for task in beside:
                task.cancel()
        if not once:
            await life.stop.wait()


def choose(settings: Settings, only: frozenset[str]) -> list[CameraSettings]:
    """The cameras to run. A disabled one runs only where it is named."""
    known = {camera.id for camera in settings.cameras}
    if unknown := only - known:
        names = ", ".join(sorted(known)) or "none"
        raise ConfigError(f"no camera {', '.join(sorted(unknown))!r} in this line; it has: {names}")
    chosen = [camera for camera in settings.cameras if (camera.id in only if only else camera.enabled)]
    if not chosen:
        raise ConfigError("cameras: there is none to watch; `andon init` writes an example")
    return chosen


def outdated(settings: Settings) -> list[SettingOutdated]:
    """The keys that an older line.yaml may hold and that have no effect any more."""
    if settings.spool.segment_bytes is None:
        return []
    return [SettingOutdated("spool.segment_bytes has no effect any more: remove it")]


def spool_risks(settings: Settings, chosen: Sequence[CameraSettings]) -> list[ServerUnfit]:
    """Why the spool's disk may not keep frames when it must, each as one line."""
    folder = Path(settings.spool.folder).expanduser()
    if all(spool_place(settings, camera, chosen) is None for camera in chosen):
        return []
    if filesystem.is_network(name := filesystem.kind(folder)):
        what = f"{folder} lies on {name}: if the network fails, the spool fails with the broker; use a local disk"
    else:
        what = filesystem.passing(folder) or ""
    return [ServerUnfit(f"spool.folder: {what}")] if what else []


async def _topics(life: Life, chosen: Sequence[CameraSettings]) -> list[str]:
    """The topics of these cameras, which exist."""
    kafka = life.settings.kafka
    topics = {life.settings.pool_topic(camera.pool) for camera in chosen}
    async with started(lambda: admin(kafka), kafka, life.emit) as client:
        missing = sorted(topics - set(await client.list_topics()))
    if missing:
        raise FatalError(
            f"the topic {', '.join(missing)} is missing at {kafka.bootstrap_servers}: `andon topics create` makes it"
        )
    return sorted(topics)


def spool_place(settings: Settings, camera: CameraSettings, chosen: Sequence[CameraSettings]) -> SpoolPlace | None:
    """Where this camera's spool lies, with its share of the room; None: it has none."""
    spool = settings.spool
    if camera.policy != "lossless" or not spool.max_bytes:
        return None
    share = spool.max_bytes // sum(other.policy == "lossless" for other in chosen)
    folder = Path(spool.folder).expanduser() / camera.id
    return SpoolPlace(folder, share, spool.fsync, spool.timeout_s)


@dataclass(frozen=True, slots=True)
class Shared:
    """What the cameras of a process share."""

    boundary: Boundary
    second_way: SecondWay


def _options(camera: CameraSettings, life: Life, chosen: Sequence[CameraSettings], shared: Shared) -> CameraOptions:
    settings = life.settings
    health = camera.health or settings.health
    return CameraOptions(
        spool=spool_place(settings, camera, chosen),
        health=health if health.enabled else None,
        boundary=shared.boundary,
        progress=life.progress,
        second_way=shared.second_way,
    )


def _camera(
    settings: CameraSettings, life: Life, publisher: Publisher, clock: BrokerClock, options: CameraOptions
) -> Camera:
    kafka = life.settings.kafka
    topic = life.settings.pool_topic(settings.pool)
    route = Route(settings.id, topic, publisher, kafka.request_timeout_s, redated=clock.redated, tracing=life.tracing)
    tools = Tools(
        open_source, clock, life.emit, kafka.max_record_bytes, lambda: clock.offset_s, clock.redated, life.tracing
    )
    if settings.ca_file is None:
        settings = settings.model_copy(update={"ca_file": life.settings.camera_ca_file})
    return Camera(settings, route, tools, options)


def _add_gauges(life: Life, cameras: Sequence[Camera]) -> None:
    def labelled(values: Sequence[float]) -> list[Reading]:
        return [((camera.settings.id,), value) for camera, value in zip(cameras, values, strict=True)]

    watch = life.metrics.watch
    watch("andon_ingest_mailbox_depth_frames", lambda: labelled([camera.depth for camera in cameras]))
    watch(
        "andon_ingest_mailbox_capacity_frames",
        lambda: labelled([camera.settings.mailbox_frames for camera in cameras]),
    )
    watch("andon_ingest_camera_online", lambda: labelled([camera.delivers for camera in cameras]))
    watch("andon_ingest_stalled_seconds", lambda: labelled([camera.stalled_s for camera in cameras]))
    watch("andon_ingest_camera_unhealthy", lambda: [reading for camera in cameras for reading in _unhealthy(camera)])
    watch("andon_ingest_camera_fps_hertz", lambda: labelled([camera.fps for camera in cameras]))
    _add_spool_gauges(life, [camera.spool for camera in cameras if camera.spool is not None])


def _unhealthy(camera: Camera) -> list[Reading]:
    return [((camera.settings.id, reason), camera.state == reason) for reason in get_args(ImageHealth)]


def _add_spool_gauges(life: Life, spools: Sequence[SpoolThread]) -> None:
    def labelled(read: Callable[[SpoolThread], float]) -> Callable[[], list[Reading]]:
        return lambda: [((spool.place.camera_id,), read(spool)) for spool in spools]

    watch = life.metrics.watch
    watch("andon_ingest_spool_depth_records", labelled(lambda spool: spool.depth))
    watch("andon_ingest_spool_size_bytes", labelled(lambda spool: spool.size_bytes))
    watch("andon_ingest_spool_capacity_bytes", labelled(lambda spool: spool.place.max_bytes))
    watch("andon_ingest_spool_age_seconds", labelled(lambda spool: spool.age_s))
    watch("andon_ingest_spool_full", labelled(lambda spool: bool(spool.trouble)))
