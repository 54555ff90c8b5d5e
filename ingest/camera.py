"""One camera's life: connect, a session of frames, its last word, and again, for ever."""

import asyncio
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta

from andon.events import CameraChanged, CameraResized
from andon.messages import CameraState, CameraStatus, ImageHealth
from andon.settings import CameraSettings, HealthSettings
from ingest.backlog import Backlog
from ingest.capture import Capture, Tools
from ingest.handoff import Handoff
from ingest.health import Sharpness
from ingest.heartbeat import Heartbeats
from ingest.mailbox import Mailbox
from ingest.publisher import CameraPublisher, Route
from ingest.reconnect import Reconnect
from ingest.spool import SpoolPlace
from ingest.spooler import Spooler
from ingest.threads import either, on_thread
from ingest.urls import SourceError
from ingest.waiting import Bounds
from ingest.watch import Size, Watch

HEARTBEAT_S = 1.0
FPS_WINDOW = 5
"""Heartbeats over which the frame rate is taken."""
STOP_S = 1.0
"""How long a stopping camera waits for its thread; one that is caught in a silent connection is left behind."""
SPOOL_OPEN_S = 10.0
"""A spool that takes longer to be counted keeps no camera waiting: what does not fit into memory is shed meanwhile."""
_WRONG: Mapping[CameraState, str] = {
    "frozen": "the same picture again and again",
    "dark": "the picture is dark",
    "overexposed": "the picture is over-exposed",
    "blurred": "the picture is less sharp than it used to be",
}
MAX_SESSIONS = 16
"""Ended sessions that may wait for the broker before a camera is connected again."""


class Camera:
    """Owns the capture thread, the mailbox and the publisher of one camera. Event loop only."""

    def __init__(
        self,
        settings: CameraSettings,
        route: Route,
        tools: Tools,
        heartbeat_s: float = HEARTBEAT_S,
        spool: SpoolPlace | None = None,
        health: HealthSettings | None = None,
    ) -> None:
        """`spool`: where a `lossless` camera's frames wait for a broker that is away; None: they don't.

        `health`: when its pictures are no basis for a verdict; None: nobody looks.
        """
        self.settings = settings
        self.state: CameraState = "connecting"
        self.fps = 0.0
        self._tools = tools
        self._heartbeat_s = heartbeat_s
        self._health = health
        self._usual = Sharpness(health.learn_s) if health is not None else None
        self._watched: Watch | None = None
        spools = spool is not None and settings.policy == "lossless"
        memory, tail = _bounds(settings, spools=spools)
        backlog = Backlog(tail) if spools else None
        self._mailbox = Mailbox(memory, backlog)
        self._handoff = Handoff(self._mailbox, tools.clock, backlog)
        self.spooler: Spooler | None = None
        if spool is not None and spools:
            self.spooler = Spooler(settings.id, spool, self._handoff, tools.clock, tools.emit)
        self._publisher = CameraPublisher(route, self._handoff, tools.clock, tools.emit)
        self._detail = ""
        self._told = False
        self._heartbeats = Heartbeats()
        self._online_since_s: float | None = None
        self._counts: deque[tuple[float, int]] = deque(maxlen=FPS_WINDOW + 1)

    @property
    def depth(self) -> int:
        """Frames in the mailbox."""
        return self._mailbox.depth

    @property
    def captured(self) -> int:
        """Frames captured so far, in all sessions."""
        return self._handoff.total

    async def run(self, stop: asyncio.Event) -> None:
        """Until a finite source has ended or `stop` is set; returns when the broker has acknowledged everything."""
        async with asyncio.TaskGroup() as group:
            if self.spooler is not None:
                group.create_task(self.spooler.run(), name=f"camera.{self.settings.id}.spool")
            try:
                await self._live(stop)
            finally:
                self._handoff.abandon()

    async def _live(self, stop: asyncio.Event) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._publisher.run(), name=f"camera.{self.settings.id}.publish")
            beat = group.create_task(self._beat(), name=f"camera.{self.settings.id}.beat")
            why = ""
            try:
                why = await self._watch(stop)
            finally:
                beat.cancel()
                self._end("stopped", why, self._handoff.close())

    async def _watch(self, stop: asyncio.Event) -> str:
        """Returns why it is over."""
        reconnect = Reconnect(self.settings.reconnect_max_s)
        self._turn("connecting", "")
        await either(stop.wait(), self._handoff.known.wait(), asyncio.sleep(SPOOL_OPEN_S))
        while not stop.is_set():
            lost = await self._session(stop)
            if lost is None:
                break
            self._end("offline", lost, self._handoff.seal())
            await either(stop.wait(), self._pause(reconnect.delay_s(self._delivered_s())))
        return "told to stop" if stop.is_set() else "the end of the file"

    def _delivered_s(self) -> float:
        """How long the session lasted that has just been lost."""
        began_s, self._online_since_s = self._online_since_s, None
        return 0.0 if began_s is None else self._tools.clock.monotonic() - began_s

    async def _session(self, stop: asyncio.Event) -> str | None:
        """Connect and capture. Returns why the camera was lost; None: it has come to its end, or was stopped."""
        loop = asyncio.get_running_loop()

        def begun(session: str) -> None:
            loop.call_soon_threadsafe(self._online, session)

        self._watched = self._looking(loop)
        capture = Capture(self.settings, self._handoff, self._tools, begun, self._watched)
        running = on_thread(capture.run, f"camera.{self.settings.id}")
        try:
            await either(stop.wait(), asyncio.shield(running))
            capture.stop()
            if stop.is_set():
                await asyncio.wait({running}, timeout=STOP_S)
                return None
            finite = running.result()
        except SourceError as error:
            return str(error)
        finally:
            self._watched = None
            capture.stop()
        return None if finite else "the stream ended"

    def _looking(self, loop: asyncio.AbstractEventLoop) -> Watch | None:
        """Looks at one session's pictures."""
        if self._health is None or self._usual is None:
            return None

        def changed(health: ImageHealth | None) -> None:
            with suppress(RuntimeError):  # the loop has ended before the camera's thread
                loop.call_soon_threadsafe(self._judged, watch, health)

        def resized(before: Size, now: Size) -> None:
            self._tools.emit(CameraResized(self.settings.id, "{}x{}".format(*before), "{}x{}".format(*now)))

        watch = Watch(self._health, self._usual, changed, resized)
        return watch

    def _judged(self, watch: Watch, health: ImageHealth | None) -> None:
        if watch is self._watched and self.delivers:  # else its session is over
            self._turn(health or "online", self._trouble or _WRONG.get(health or "online", ""))

    async def _pause(self, delay_s: float) -> None:
        await asyncio.sleep(delay_s)
        await self._handoff.few_sessions(MAX_SESSIONS)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self._heartbeat_s)
            self._measure()
            if self.delivers:
                self._turn(self.state, self._trouble or _WRONG.get(self.state, ""))
            if self._heartbeats.due(told=self._frames_tell()):
                self._tell()

    def _frames_tell(self) -> bool:
        since = self._tools.clock.now() - timedelta(seconds=self._heartbeat_s)
        return self.delivers and self._handoff.told_since(since)

    def _tell(self) -> None:
        self._heartbeats.sent()
        self._handoff.tell(self._status())

    @property
    def delivers(self) -> bool:
        """Frames come, healthy or not."""
        return self.state == "online" or self.state in _WRONG

    @property
    def _trouble(self) -> str:
        """What is wrong with a camera that delivers."""
        shed = self.spooler.trouble if self.spooler is not None else ""
        return f"frames can't be spooled: {shed}" if shed else ""

    def _measure(self) -> None:
        self._counts.append((self._tools.clock.monotonic(), self._handoff.total))
        (then_s, before), (now_s, after) = self._counts[0], self._counts[-1]
        self.fps = (after - before) / (now_s - then_s) if now_s > then_s else 0.0

    def _online(self, session: str) -> None:
        if self._handoff.session == session:  # else it has ended before the loop heard of its beginning
            self._online_since_s = self._tools.clock.monotonic()
            self._turn("online", "")

    def _end(self, state: CameraState, detail: str, ended: tuple[str, int] | None) -> None:
        """The session's last word stays behind its frames; the camera's new state is told at once."""
        if ended is not None and ended[1] > 0:
            session, captured = ended
            last = self._status().model_copy(update={"state": state, "detail": detail})
            self._handoff.end(last.model_copy(update={"session": session, "captured": captured, "final": True}))
        self._turn(state, detail)

    def _turn(self, state: CameraState, detail: str) -> None:
        if (state, detail) == (self.state, self._detail) and self._told:
            return
        self.state, self._detail, self._told = state, detail, True
        self._tools.emit(CameraChanged(self.settings.id, state, self._handoff.session or "", detail))
        self._tell()

    def _status(self) -> CameraStatus:
        session, captured = self._handoff.progress
        return CameraStatus(
            camera_id=self.settings.id,
            session=session,
            state=self.state,
            captured=captured,
            at=self._tools.clock.now(),
            fps=self.fps if self.delivers else 0.0,
            detail=self._detail,
        )


def _bounds(settings: CameraSettings, *, spools: bool) -> tuple[Bounds, Bounds]:
    """What the mailbox holds before the broker and, where the camera spools, behind that on the way to the disk."""
    frames, size_bytes = settings.mailbox_frames, settings.mailbox_bytes
    if not spools:
        max_age_s = settings.max_age_s if settings.policy == "freshest" else None
        return Bounds(frames, size_bytes, max_age_s), Bounds(0, 0)
    tail = max(1, min(frames // 4, 64))
    return Bounds(max(1, frames - tail), size_bytes * 3 // 4), Bounds(tail, size_bytes // 4)
