"""Builds each camera from its config, once this machine has what it takes: its secrets, and its pool's topic."""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from andon.cameras.sections import settings_of
from andon.errors import ConfigError, FatalError, RetryableError
from andon.events import CameraNotStarted
from andon.messages import CameraConfig, CameraStatus
from andon.process.lifecycle import Life
from andon.settings import CameraSettings, Settings
from andon.stream.broker_clock import BrokerClock
from andon.stream.publisher import KafkaPublisher
from andon.wire import encode
from ingest.boundary import Boundary
from ingest.camera import Camera, CameraOptions
from ingest.capture import Tools
from ingest.fleet import PlannedCamera
from ingest.leftover import Leftover
from ingest.publisher import Route
from ingest.second_way import SecondWay
from ingest.sources.choice import open_source
from ingest.spool import SpoolPlace
from ingest.status import Ownership
from ingest.threads import either

RETRY_S = 5.0
"""Interval between two attempts at a camera that can't be built here: somebody may set the variable, or make the topic.
Each attempt is also its heartbeat."""


@dataclass(slots=True)
class Workshop:
    """What the cameras of a process share."""

    life: Life
    publisher: KafkaPublisher
    clock: BrokerClock
    second_way: SecondWay
    topic_exists: Callable[[str], Awaitable[bool]]
    boundary: Boundary = field(default_factory=Boundary)
    lossless: int = 1
    """The cameras that share `spool.max_bytes`."""

    def share_room(self, lossless: int, cameras: Iterable[Camera]) -> None:
        """This number of `lossless` cameras shares `spool.max_bytes` from now on; `cameras`: those that run."""
        self.lossless = max(1, lossless)
        for camera in cameras:
            if camera.spool is not None:
                camera.spool.bound(self.life.settings.spool.max_bytes // self.lossless)

    def attempt(self, wanted: PlannedCamera) -> "Attempt":
        return Attempt(self, wanted)

    async def camera(self, wanted: PlannedCamera) -> Camera:
        """Raises ConfigError, in one line, where something is missing."""
        settings = self.settings_of(wanted.config)
        line = self.life.settings
        topic = line.pool_topic(settings.pool)
        if not await self._exists(topic):
            raise ConfigError(f"the topic {topic} of its pool is missing: `andon topics create` makes it")
        health = settings.health or line.health
        options = CameraOptions(
            spool=spool_place(line, settings, self.lossless),
            health=health if health.enabled else None,
            boundary=self.boundary,
            progress=self.life.progress,
            second_way=self.second_way,
            ownership=Ownership(name(line), wanted.tenure),
        )
        return Camera(settings, self._route(settings.id, topic), self._tools(), options)

    def settings_of(self, config: CameraConfig) -> CameraSettings:
        """The camera's settings, with the secrets of this machine. Raises ConfigError."""
        line = self.life.settings
        settings = settings_of(config, line.cameras)
        return settings if settings.ca_file else settings.model_copy(update={"ca_file": line.camera_ca_file})

    def leftover(self, camera_id: str, config: CameraConfig | None) -> Leftover:
        """Sends the spool of a camera that another ingester has now. No `config`: the camera has been removed."""
        line = self.life.settings
        pool = str((config.settings or {}).get("pool", "default")) if config is not None else "default"
        own = CameraSettings.model_validate({"id": camera_id, "url": "spool"})
        place = SpoolPlace(spool_folder(line) / camera_id, line.spool.max_bytes, line.spool.fsync, line.spool.timeout_s)
        limits = (own.mailbox_frames, own.mailbox_bytes)
        return Leftover(place, self._route(camera_id, line.pool_topic(pool)), self._tools(), limits)

    async def refuse(self, wanted: PlannedCamera, reason: str) -> None:
        """Tell the line why the camera is offline, as far as its pool's topic can be reached."""
        line = self.life.settings
        status = CameraStatus(
            camera_id=wanted.config.camera_id,
            state="offline",
            at=self.clock.now(),
            detail=reason,
            ingester=name(line),
            tenure=wanted.tenure,
        )
        topic = line.pool_topic(str(wanted.settings.get("pool", "default")))
        with suppress(ConfigError, RetryableError):  # the next attempt says it again
            if await self._exists(topic):
                await (await self.publisher.send(topic, encode(status)))

    async def _exists(self, topic: str) -> bool:
        """Raises ConfigError while the broker does not say: one camera that has to wait must not end the process."""
        try:
            return await self.topic_exists(topic)
        except FatalError as error:
            raise ConfigError(str(error)) from None

    def _route(self, camera_id: str, topic: str) -> Route:
        timeout_s, redated = self.life.settings.kafka.request_timeout_s, self.clock.redated
        return Route(camera_id, topic, self.publisher, timeout_s, redated=redated, tracing=self.life.tracing)

    def _tools(self) -> Tools:
        clock, most, life = self.clock, self.life.settings.kafka.max_record_bytes, self.life
        return Tools(open_source, clock, life.emit, most, lambda: clock.offset_s, clock.redated, life.tracing)


class Attempt:
    """A camera that is to run, and the reason why it can't yet. Event loop only."""

    def __init__(self, workshop: Workshop, wanted: PlannedCamera) -> None:
        self.camera: Camera | None = None
        """None: it is not built yet."""
        self._workshop = workshop
        self._wanted = wanted

    async def run(self, stop: asyncio.Event) -> None:
        """Like `Camera.run`. What this machine lacks is said in the camera's status, again and again."""
        last_reason = ""
        while not stop.is_set():
            try:
                self.camera = await self._workshop.camera(self._wanted)
            except ConfigError as error:
                reason = str(error)
                if reason != last_reason:
                    last_reason = reason
                    self._workshop.life.emit(CameraNotStarted(self._wanted.config.camera_id, reason))
                await self._workshop.refuse(self._wanted, reason)
                await either(stop.wait(), asyncio.sleep(RETRY_S))
            else:
                await self._run(self.camera, stop)
                return

    async def _run(self, camera: Camera, stop: asyncio.Event) -> None:
        boundary, camera_id = self._workshop.boundary, camera.settings.id
        boundary.begun(camera_id)
        try:
            await camera.run(stop)
        finally:
            boundary.ended(camera_id)


def name(settings: Settings) -> str:
    """This ingester's, for people: `kafka.member`, or its host and process."""
    return settings.kafka.member or f"{socket.gethostname()}:{os.getpid()}"


def spool_folder(settings: Settings) -> Path:
    return Path(settings.spool.folder).expanduser()


def spool_place(settings: Settings, camera: CameraSettings, lossless: int) -> SpoolPlace | None:
    """Where this camera's spool lies, with its share of the room among this number of `lossless` cameras; None: it has
    none."""
    spool = settings.spool
    if camera.policy != "lossless" or not spool.max_bytes:
        return None
    share = spool.max_bytes // lossless
    return SpoolPlace(spool_folder(settings) / camera.id, share, spool.fsync, spool.timeout_s)
