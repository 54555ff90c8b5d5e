"""One camera's life: connect, a session of frames, its final status, and again, for ever."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass

from andon.backoff import Backoff
from andon.clock import Clock
from andon.errors import described
from andon.events import CameraNoted, CameraResized, CaptureFailed
from andon.messages import CameraState, ImageHealth
from andon.pictures.health.judgement import UsualSharpness
from andon.pictures.health.monitor import HealthMonitor, Size
from andon.pictures.health.states import UNHEALTHY
from andon.process.progress import KAFKA, Duty, Progress, Work
from andon.settings import CameraSettings, HealthSettings
from ingest.boundary import Boundary
from ingest.bridge import Bridge
from ingest.capture import Capture, Tools
from ingest.capture_threads import CaptureThreads
from ingest.publisher import CameraPublisher, Route
from ingest.queue import Freshest, Lossless
from ingest.read_limit import ReadLimit
from ingest.second_way import SECOND_WAY_S, SecondWay
from ingest.sources.source import SilentError, SourceError
from ingest.spool import SpoolPlace
from ingest.spool_thread import SpoolThread
from ingest.spooled_queue import SpooledQueue
from ingest.status import HEARTBEAT_S, NOBODY, Ownership, StatusReporter
from ingest.threads import either

RECONNECT_FIRST_S = 0.25
SPOOL_OPEN_S = 10.0
"""A camera waits for no longer until its spool is counted; what does not fit into memory is shed meanwhile."""
MAX_SESSIONS = 16
"""Ended sessions that may wait for the broker before a camera is connected again."""


@dataclass(frozen=True, slots=True)
class CameraOptions:
    """What a line can do without."""

    spool: SpoolPlace | None = None
    """Where a `lossless` camera's frames wait for a broker that is away; None: nowhere."""
    health: HealthSettings | None = None
    """When its pictures are no basis for a verdict; None: they are not looked at."""
    boundary: Boundary | None = None
    """Shared with the other cameras of the process; None: there are none."""
    heartbeat_s: float = HEARTBEAT_S
    progress: Progress | None = None
    """Looks whether its frames are acknowledged; None: nobody does."""
    second_way: SecondWay | None = None
    """By which heartbeats go while the broker acknowledges no frame; None: they wait behind the frames."""
    ownership: Ownership = NOBODY


class Camera:
    """Owns the capture thread, the queue and the publisher of one camera. Event loop only."""

    def __init__(
        self, settings: CameraSettings, route: Route, tools: Tools, options: CameraOptions = CameraOptions()
    ) -> None:
        self.settings = settings
        self.spool: SpoolThread | None = None
        self._tools = tools
        self._options = options
        self._boundary = options.boundary or Boundary([settings.id])
        self._queue = _queue(settings, tools.clock, spools=options.spool is not None)
        self._bridge = Bridge(self._queue, tools.clock, options.ownership.tenure)
        if isinstance(self._queue, SpooledQueue) and options.spool is not None:
            self.spool = SpoolThread(options.spool, self._queue, self._bridge, tools.clock, tools.emit)
        self._publisher = CameraPublisher(route, self._bridge, tools.clock, tools.emit)
        self._status = StatusReporter(
            settings.id, self._bridge, tools.clock, tools.emit, options.heartbeat_s, options.ownership
        )
        self._threads = CaptureThreads(settings.id, options.heartbeat_s)
        self._usual = UsualSharpness(options.health.learn_s) if options.health is not None else None
        self._monitor: HealthMonitor | None = None
        self._online_since_s: float | None = None
        self._limit = ReadLimit(settings.read_timeout_s)
        self._silent = False
        """The last session was lost because no picture came in time."""
        self._ended = False
        """No session follows: its source has come to its end, or it was stopped."""
        self._duty = self._watched(options.progress, route.topic)

    @property
    def state(self) -> CameraState:
        return self._status.state

    @property
    def fps(self) -> float:
        """Frames captured a second, over the last heartbeats."""
        return self._status.fps

    @property
    def delivers(self) -> bool:
        """Frames come, healthy or not."""
        return self._status.delivers

    @property
    def depth(self) -> int:
        """Frames in memory that wait for the broker or are under way."""
        return self._queue.depth

    @property
    def stalled_s(self) -> float:
        """For how long the broker has acknowledged no frame, although the camera should deliver some."""
        return self._duty.stalled_s if self._duty is not None else 0.0

    @property
    def captured(self) -> int:
        """Frames captured so far, in all sessions."""
        return self._bridge.total

    async def run(self, stop: asyncio.Event) -> None:
        """Until a finite source has ended or `stop` is set; returns when the broker has acknowledged everything.

        Raises FatalError: every camera of the process fails for a reason that nobody foresaw.
        """
        async with asyncio.TaskGroup() as group:
            if self.spool is not None:
                group.create_task(self.spool.run(), name=f"camera.{self.settings.id}.spool")
            try:
                await self._publish_sessions(stop)
            finally:
                if self.spool is not None:
                    self.spool.end()
                if self._options.progress is not None and self._duty is not None:
                    self._options.progress.end(self._duty)

    async def _publish_sessions(self, stop: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._publisher.run(), name=f"camera.{self.settings.id}.publish")
            beat = group.create_task(self._beat(), name=f"camera.{self.settings.id}.beat")
            why = ""
            try:
                why = await self._sessions(stop)
            finally:
                beat.cancel()
                self._ended = True
                self._status.stall("")
                self._status.end("stopped", why, self._bridge.close())

    async def _sessions(self, stop: asyncio.Event) -> str:
        """Session after session. Returns why there is no further one."""
        backoff, failures = Backoff(first_s=RECONNECT_FIRST_S, most_s=self.settings.reconnect_max_s), 0
        self._status.turn("connecting", "")
        if self.spool is not None:
            await either(stop.wait(), self.spool.opened.wait(), asyncio.sleep(SPOOL_OPEN_S))
        while not stop.is_set():
            lost = await self._session(stop)
            if lost is None:
                break
            sealed, delivered_s = self._bridge.seal(), self._delivered_s()
            self._status.end("offline", lost, sealed)
            if self._silent:
                self._allow(sealed[1] if sealed is not None else 0, delivered_s)
            failures = 1 if delivered_s > self.settings.reconnect_max_s else failures + 1
            await either(stop.wait(), self._pause(backoff.delay_s(failures)))
            await self._threads.free(stop)
        self._boundary.ended(self.settings.id)
        return "stopped on request" if stop.is_set() else "the end of the file"

    async def _session(self, stop: asyncio.Event) -> str | None:
        """Connect and capture. Returns why the camera was lost; None: it has come to its end, or was stopped."""
        loop = asyncio.get_running_loop()

        def begun(session: str) -> None:
            self._bridge.call_loop(lambda: self._online(session))

        def waits(what: str) -> None:
            self._bridge.call_loop(lambda: self._status.turn("connecting", what))

        self._monitor, self._silent = self._health_monitor(loop), False
        settings = self.settings.model_copy(update={"read_timeout_s": self._limit.seconds})
        capture = Capture(settings, self._bridge, self._tools, begun, self._monitor, waits)
        try:
            finite = await self._threads.run(capture, stop)
        except SourceError as error:
            self._boundary.worked(self.settings.id)
            self._silent = isinstance(error, SilentError)
            return str(error)
        except Exception as error:  # the camera's boundary: whatever it is, the other cameras go on
            return self._failed(described(error))
        finally:
            self._monitor = None
        return "the stream ended" if finite is False else None

    def _allow(self, captured: int, delivered_s: float) -> None:
        """A slow camera may take longer in its next session."""
        if self._limit.lost(captured, delivered_s):
            slow = f"it sends a picture less often than read_timeout_s allows: {self._limit.seconds:g} s from now on"
            self._tools.emit(CameraNoted(self.settings.id, slow))

    def _failed(self, reason: str) -> str:
        self._tools.emit(CaptureFailed(self.settings.id, reason))
        self._boundary.failed(self.settings.id, reason)
        return reason

    def _delivered_s(self) -> float:
        """How long the session lasted that has just been lost; 0: it delivered nothing."""
        began_s, self._online_since_s = self._online_since_s, None
        return 0.0 if began_s is None else self._tools.clock.monotonic() - began_s

    def _health_monitor(self, loop: asyncio.AbstractEventLoop) -> HealthMonitor | None:
        """Looks at the pictures of one session."""
        if self._options.health is None or self._usual is None:
            return None

        def changed(health: ImageHealth | None) -> None:
            with suppress(RuntimeError):  # the loop has ended before the camera's thread
                loop.call_soon_threadsafe(self._health_changed, monitor, health)

        def resized(before: Size, now: Size) -> None:
            self._tools.emit(CameraResized(self.settings.id, "{}x{}".format(*before), "{}x{}".format(*now)))

        monitor = HealthMonitor(self._options.health, self._usual, changed, resized)
        return monitor

    def _health_changed(self, monitor: HealthMonitor, health: ImageHealth | None) -> None:
        if monitor is self._monitor and self.delivers:  # else its session is over
            self._turn_delivering(health or "online")

    def _turn_delivering(self, state: CameraState) -> None:
        trouble = self.spool.trouble if self.spool is not None else ""
        detail = f"frames can't be spooled: {trouble}" if trouble else UNHEALTHY.get(state, "")
        self._status.turn(state, detail)

    async def _pause(self, delay_s: float) -> None:
        await asyncio.sleep(delay_s)
        await self._bridge.sessions_below(MAX_SESSIONS)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self._options.heartbeat_s)
            if self.spool is not None:
                self.spool.check()
            if self.delivers:
                self._turn_delivering(self.state)
            self._report_stall()
            self._status.beat()

    def _watched(self, progress: Progress | None, topic: str) -> Duty | None:
        if progress is None:
            return None
        settings = self.settings
        usual_s = max(1 / settings.image_fps, 1 / settings.fps if settings.fps is not None else 0.0)
        sources = (f"publish {settings.id}", f"publish to {topic}", KAFKA)
        return progress.duty(f"camera {settings.id}", self._work, sources, usual_s=usual_s)

    def _work(self) -> Work:
        """A camera should deliver until its end, unless it is triggered; what it has delivered should be
        acknowledged."""
        unsent = self.depth + (self.spool.depth if self.spool is not None else 0)
        waits = bool(unsent) or not (self._ended or self._idle)
        return Work(self._publisher.acknowledged, waits, self._hindrance(unsent))

    @property
    def _idle(self) -> bool:
        """It may be there, with nothing that triggers it."""
        return self.settings.triggered and self.state != "offline"

    def _hindrance(self, unsent: int) -> str:
        """Why no frame is acknowledged; `unsent`: frames that wait."""
        trouble = self.spool.trouble if self.spool is not None else ""
        if unsent:
            return f"{unsent} frames wait for the broker" + (f"; more can't be spooled: {trouble}" if trouble else "")
        if self.delivers:
            return "each of its pictures is shed or corrupt"
        return f"the camera is {self._status.summary}"

    def _report_stall(self) -> None:
        """Say in the status why no frame is acknowledged, by the second way if the first one is blocked."""
        options = self._options
        if options.progress is not None and self._duty is not None:
            stall = options.progress.stall_of(self._duty)
            self._status.stall(stall.reason if stall is not None else "")
        if options.second_way is not None and self._publisher.silent_s > SECOND_WAY_S:
            options.second_way.send(self._status.status())

    def _online(self, session: str) -> None:
        if self._bridge.session == session:  # else it has ended before the loop heard of its beginning
            self._online_since_s = self._tools.clock.monotonic()
            self._boundary.worked(self.settings.id)
            self._status.turn("online", "")


def _queue(settings: CameraSettings, clock: Clock, *, spools: bool) -> Lossless:
    frames, size_bytes = settings.mailbox_frames, settings.mailbox_bytes
    if settings.policy == "freshest":
        return Freshest(frames, size_bytes, clock, settings.max_age_s)
    return SpooledQueue(frames, size_bytes, clock) if spools else Lossless(frames, size_bytes, clock)
