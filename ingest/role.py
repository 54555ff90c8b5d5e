"""The ingest process: its share of the line's cameras side by side, one producer, its gauges."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import cv2

from andon import filesystem
from andon.cameras.registry import FOLLOW_MS, Registry, Writer, open_registry
from andon.cameras.seed import Seed
from andon.errors import ConfigError
from andon.events import ServerUnfit, SettingOutdated
from andon.process.lifecycle import Life
from andon.settings import CameraSettings, Settings
from andon.stream.clients import producer, started
from andon.stream.clock_watch import watched_clock
from andon.stream.publisher import KafkaPublisher
from andon.stream.topic_settings import check_topics
from andon.stream.topics import Topics
from ingest.building import Attempt, Workshop, spool_folder, spool_place
from ingest.camera import Camera
from ingest.fleet import Fleet
from ingest.gauges import add_gauges
from ingest.leftover import left_behind
from ingest.second_way import SecondWay
from ingest.seeding import seed_registry
from ingest.shares import CameraSelection, Shares, open_shares
from ingest.threads import either, on_thread

SEALED_S = 2.0
"""How long an ingester that stops stays in its group, so that its cameras are closed before another one opens them."""
LOOK_S = 30.0
"""Interval between two looks for a spool that nobody sends."""


@dataclass(frozen=True, slots=True)
class IngestOptions:
    """What `andon ingest` was asked for beside line.yaml."""

    seed: Seed | None = None
    """What line.yaml says of the cameras; None: `cameras: registry`."""
    only: frozenset[str] = frozenset()
    """Only these cameras; empty: all."""
    once: bool = False
    """Return when every camera has come to its end, which only files and folders do."""
    alone: bool = False
    """It is the line's only ingester."""

    def choice(self, settings: Settings) -> CameraSelection:
        return CameraSelection(settings.ingest.site, self.alone or self.once or bool(self.only), self.only)


async def ingest_role(life: Life, options: IngestOptions) -> None:
    """Run this ingester's share of the line's cameras until `life.stop` is set.

    Raises:
        FatalError: no broker, or its topics are missing, now or later; the broker refuses the records for good; every
            camera fails in a way that nobody foresaw.
        ConfigError: a camera is named that the line does not have, or it has none.
    """
    settings, kafka = life.settings, life.settings.kafka
    for event in (*outdated(settings), *spool_risks(settings, settings.cameras)):
        life.emit(event)
    cv2.setNumThreads(1)  # the cameras side by side are the parallelism
    topics = Topics(kafka, life.emit)
    pools = sorted({settings.pool_topic(camera.pool) for camera in settings.cameras})
    await topics.require([*pools, kafka.cameras_topic])
    limits = await check_topics(kafka, [*pools, kafka.cameras_topic], life.emit)
    async with (
        started(lambda: producer(kafka, life.emit), kafka, life.emit) as client,
        open_registry(kafka, life.emit) as registry,
    ):
        clock, watch = watched_clock(life)
        publisher = KafkaPublisher(client, kafka.request_timeout_s, clock, limits)
        if options.seed is not None:
            writer = Writer(registry, publisher, kafka.cameras_topic, life.clock)
            await seed_registry(registry, writer, options.seed, life.clock, life.emit)
        _require_cameras(registry, options)
        workshop = Workshop(life, publisher, clock, SecondWay(kafka), topics.exists)
        async with asyncio.TaskGroup() as watching:
            beside = [
                watching.create_task(publisher.watch(), name="ingest.topics"),
                watching.create_task(watch.run(), name="ingest.clock"),
                watching.create_task(workshop.second_way.run(), name="ingest.second_way"),
            ]
            await Ingester(life, options, registry, workshop).run(watching)
            for task in beside:
                task.cancel()


class Ingester:
    """Keeps the cameras running that are this process's share. Event loop only."""

    def __init__(self, life: Life, options: IngestOptions, registry: Registry, workshop: Workshop) -> None:
        self._life = life
        self._options = options
        self._choice = options.choice(life.settings)
        self._registry = registry
        self._workshop = workshop
        self._wake = asyncio.Event()

    async def run(self, watching: asyncio.TaskGroup) -> None:
        """Until the process is to stop and every camera has sent what it has. Tasks beside run in `watching`."""
        following = watching.create_task(self._follow(), name="ingest.registry")
        async with asyncio.TaskGroup() as group:
            fleet = Fleet(self._workshop.attempt, group, self._life.clock, self._wake.set)
            add_gauges(self._life.metrics, lambda: _cameras(fleet))
            async with open_shares(self._life, self._registry, self._choice, watching, self._wake.set) as shares:
                await self._keep(fleet, shares, watching)
                fleet.stop()
                await fleet.sealed(SEALED_S)
        following.cancel()

    async def _keep(self, fleet: Fleet, shares: Shares, watching: asyncio.TaskGroup) -> None:
        stop, looking = self._life.stop, None
        while not stop.is_set():
            self._wake.clear()
            wanted = self._choice.wanted(self._registry, shares)
            lossless = sum(of.settings.get("policy") != "freshest" for of in wanted.values())
            self._workshop.share_room(lossless, _cameras(fleet))
            delay_s = fleet.look(wanted)
            if shares.joined and looking is None:
                self._life.ready()
                looking = watching.create_task(self._send_what_is_left(fleet, shares), name="ingest.leftover")
            if self._options.once and not fleet.captures:
                break
            waits = [stop.wait(), self._wake.wait()]
            await either(*waits, *([] if delay_s is None else [asyncio.sleep(delay_s)]))
        if looking is not None:
            looking.cancel()

    async def _follow(self) -> None:
        self._registry.ask_seldom()
        while True:
            if await self._registry.poll(FOLLOW_MS):
                self._wake.set()

    async def _send_what_is_left(self, fleet: Fleet, shares: Shares) -> None:
        """An ingester that comes back may find that its cameras are another's now."""
        folder = spool_folder(self._life.settings)
        while not self._choice.only:
            mine = frozenset(self._choice.wanted(self._registry, shares))
            for camera_id in await on_thread(partial(left_behind, folder, mine), "ingest.leftover"):
                entry = self._registry.cameras.get(camera_id)
                leftover = self._workshop.leftover(camera_id, entry.config if entry is not None else None)
                fleet.send_what_is_left(camera_id, leftover)
            await asyncio.sleep(LOOK_S)


def _cameras(fleet: Fleet) -> list[Camera]:
    return [runs.camera for runs in fleet.cameras if isinstance(runs, Attempt) and runs.camera is not None]


def _require_cameras(registry: Registry, options: IngestOptions) -> None:
    known = registry.cameras.keys()
    if unknown := options.only - known:
        names = ", ".join(sorted(known)) or "none"
        raise ConfigError(f"no camera {', '.join(sorted(unknown))!r} in this line; it has: {names}")
    if not known and options.seed is not None:
        raise ConfigError("cameras: there is none to watch; `andon init` writes an example")


def choose(settings: Settings, only: frozenset[str]) -> list[CameraSettings]:
    """Those of line.yaml's cameras that are asked for. A disabled one only where it is named. Raises ConfigError."""
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
    folder = spool_folder(settings)
    if all(spool_place(settings, camera, 1) is None for camera in chosen):
        return []
    if filesystem.is_network(kind := filesystem.kind(folder)):
        what = f"{folder} lies on {kind}: if the network fails, the spool fails with the broker; use a local disk"
    else:
        what = filesystem.passing(folder) or ""
    return [ServerUnfit(f"spool.folder: {what}")] if what else []
