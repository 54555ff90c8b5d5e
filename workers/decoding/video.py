"""Decodes the video of one partition's cameras on the decoders' threads: several cameras side by side, each in order.

All records of a camera with video come by here, so that what is published of it stays in its order. A frame that the
decoder holds back for the order of B-frames is done with at once: whoever takes over decodes it again, since the commit
stays at its keyframe (`needed_from`). So neither a camera's order nor a camera that falls silent holds up others.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from andon.clock import Clock
from andon.errors import PoisonError
from andon.messages import CameraStatus, Frame, ImageHealth, Message, ShedRange
from andon.pictures.health.states import changed, stated
from andon.pictures.picture import PictureLimits
from andon.stream.step import Delivery
from andon.video.decoder import CODECS
from andon.wire import Record
from workers.decoder_pool import TOGETHER, DecoderPool
from workers.decoding.health import VideoHealth
from workers.decoding.place import HOST, DecodingPlace
from workers.decoding.sessions import KEPT_S, Decoders, VideoSession, VideoSessions
from workers.decoding.stream import CameraStream, Outcome, VideoRecord
from workers.gaps import OffsetHole

GONE = "records before it are gone from the log"
ENDED = "the session has ended"
Task = asyncio.Task[Any]
Spawn = Callable[[Coroutine[Any, Any, Any], str], Task]


@dataclass(frozen=True, slots=True)
class VideoLimits:
    pictures: PictureLimits
    max_decoders: int
    hold_s: float
    """For how long a group may hold the commit back, and a silent camera frames that its decoder holds back."""


@dataclass(frozen=True, slots=True)
class VideoTools:
    """What all partitions of a worker share."""

    pool: DecoderPool
    ahead: asyncio.Semaphore
    """Pictures that are decoded and not yet inspected."""
    decoders: Decoders
    limits: VideoLimits
    clock: Clock
    place: DecodingPlace = HOST


@dataclass(frozen=True, slots=True, eq=False)
class Item:
    """One record of a camera with video."""

    hole: OffsetHole | None
    delivery: Delivery
    message: Message | None
    """None: it can't be read."""
    restated: bool = False
    """The message is not as it came."""

    @property
    def is_video(self) -> bool:
        return isinstance(self.message, Frame) and self.message.content_type in CODECS


class Handler(Protocol):
    """Makes publications of what comes out, in this order for each camera."""

    def ordinary(self, item: Item) -> None:
        """A record that is not decoded here."""
        ...

    def frame(self, item: Item, outcome: Outcome, news: CameraStatus | None) -> Task:
        """What became of a frame of video. `news`: the camera's state has changed with it."""
        ...

    def stale(self, item: Item, frame: Frame) -> bool:
        """Whether the frame is too old to be inspected."""
        ...


@dataclass(slots=True, eq=False)
class _Camera:
    sessions: VideoSessions
    heard_s: float
    queue: deque[Item] = field(default_factory=deque)
    pump: Task | None = None
    unsettled: dict[int, tuple[int, VideoSession]] = field(default_factory=dict)
    """Offsets of frames that came out and are not published, with the start of each and its session."""
    status: CameraStatus | None = None
    health: ImageHealth | None = None
    over: bool = False
    """Its sessions have ended, or it has been silent for long."""

    @property
    def idle(self) -> bool:
        return self.pump is None and not self.queue and not self.unsettled


class VideoPartition:
    """From the partition's assignment to its revocation. Event loop only."""

    def __init__(self, tools: VideoTools, handler: Handler, spawn: Spawn, name: str) -> None:
        """`name`: of the tasks that decode."""
        self._tools = tools
        self._handler = handler
        self._spawn = spawn
        self._name = name
        self._cameras: dict[bytes, _Camera] = {}
        self._discarded = False

    def knows(self, key: bytes | None) -> bool:
        """Whether records with this key go this way, video or not."""
        return key in self._cameras

    def add(self, item: Item) -> None:
        """Records of each camera in the order of the log."""
        key, now = item.delivery.record.key or b"", self._tools.clock.monotonic()
        camera = self._cameras.get(key)
        if camera is None:
            tools, hold_s = self._tools, self._tools.limits.hold_s
            camera = self._cameras[key] = _Camera(VideoSessions(self._open, tools.decoders, tools.clock, hold_s), now)
        if item.is_video:
            camera.heard_s, camera.over = now, False
        camera.queue.append(replace(item, delivery=self._counted(key, camera, item.delivery)))
        self._start(key, camera)

    def needed_from(self) -> int | None:
        """The lowest offset from which a successor must read. None: nothing is needed."""
        cameras = self._cameras.values()
        return min((low for camera in cameras for low in camera.sessions.needs(camera.unsettled)), default=None)

    def close_silent(self) -> None:
        """End the decoders of cameras that have sent nothing for long. What they hold back comes out."""
        now, hold_s = self._tools.clock.monotonic(), self._tools.limits.hold_s
        kept_s = hold_s if self._tools.decoders.full else KEPT_S
        for key, camera in self._cameras.items():
            silent_s = now - camera.heard_s
            if camera.idle and silent_s > (hold_s if camera.sessions.held else kept_s) and not self._discarded:
                camera.over = True
                self._start(key, camera)

    async def drain(self) -> None:
        """Return when every record is decoded, apart from those that wait for later ones."""
        while pumps := [camera.pump for camera in self._cameras.values() if camera.pump is not None]:
            await asyncio.wait(pumps)

    def discard(self) -> None:
        """Decode nothing more."""
        self._discarded = True
        for camera in self._cameras.values():
            if camera.pump is not None:
                camera.pump.cancel()
            self._forget(camera)
        self._cameras.clear()

    def _counted(self, key: bytes, camera: _Camera, delivery: Delivery) -> Delivery:
        """`done` counts once: a frame may be done with before it is published."""
        waiting, offset = [delivery.done], delivery.record.offset

        def done() -> None:
            camera.unsettled.pop(offset, None)
            while waiting:
                waiting.pop()()
            self._leave(key, camera)

        return replace(delivery, done=done)

    def _open(self, health: VideoHealth) -> CameraStream:
        tools = self._tools
        place = tools.place
        return CameraStream(tools.limits.pictures, tools.clock, place.open_decoder, place.pictures(), health)

    def _start(self, key: bytes, camera: _Camera) -> None:
        if camera.pump is None:
            camera.pump = self._spawn(self._pump(key, camera), f"{self._name}.{key.decode(errors='replace')}")

    async def _pump(self, key: bytes, camera: _Camera) -> None:
        try:
            while camera.queue:
                if camera.queue[0].is_video:
                    await self._decode(camera)
                else:
                    await self._pass(camera, camera.queue.popleft())
            if camera.over:
                await self._end(camera, ENDED)
        finally:
            camera.pump = None
        if camera.queue:
            self._start(key, camera)
        self._leave(key, camera)

    async def _pass(self, camera: _Camera, item: Item) -> None:
        """A record that is not decoded. It comes after all frames before it."""
        message = item.message
        if item.hole is not None:
            await self._end(camera, GONE)
        match message:
            case CameraStatus():
                session = camera.sessions.find(message.session)
                if message.final and session is not None:
                    await self._end(camera, ENDED, session)
                    camera.sessions.drop(session)
                    waits = any(waiting.is_video for waiting in camera.queue)
                    camera.over = not waits and not list(camera.sessions)
                if not message.final:
                    camera.status = message
                news = stated(message, camera.health)
                item = replace(item, message=news, restated=news is not message)
            case ShedRange() | Frame():
                session = camera.sessions.find(message.session)
                if session is not None:
                    await self._end(camera, "frames before it were shed, or are no video", session)
        self._handler.ordinary(item)

    async def _end(self, camera: _Camera, why: str, only: VideoSession | None = None) -> None:
        """What the decoders hold back comes out. They go on at a keyframe. `only`: None is each session."""
        for session in camera.sessions if only is None else (only,):
            outcomes = await self._run(camera, session, (), why)
            await self._hand_on(camera, {}, outcomes, 0)

    async def _turn(self, camera: _Camera) -> VideoSession:
        """The session of the next record."""
        first = camera.queue[0]
        if first.hole is not None:
            await self._end(camera, GONE)
        name = _session_of(first)
        for session in camera.sessions.surplus(name):
            await self._end(camera, "the camera goes on with another session", session)
            camera.sessions.drop(session)
        return camera.sessions.turn(name)

    async def _decode(self, camera: _Camera) -> None:
        """The next records of one session, as many as there is room for pictures."""
        session = await self._turn(camera)
        ahead, name, items = self._tools.ahead, _session_of(camera.queue[0]), dict[int, Item]()
        await ahead.acquire()
        while camera.queue and camera.queue[0].is_video and len(items) < TOGETHER:
            if items and (camera.queue[0].hole is not None or _session_of(camera.queue[0]) != name or ahead.locked()):
                break
            if items:
                await ahead.acquire()  # there is room: it does not wait
            item = camera.queue.popleft()
            items[item.delivery.record.offset] = item
        records = [_record(item, self._handler) for item in items.values()]
        try:
            outcomes = await self._run(camera, session, records)
        except BaseException:
            _release(ahead, len(items))
            raise
        held = {offset for _, offset in session.held}
        for record in records:
            if record.offset in held:
                record.delivery.delivery.done()
        await self._hand_on(camera, items, outcomes, len(items))

    async def _run(
        self, camera: _Camera, session: VideoSession, records: Sequence[VideoRecord], lost: str = ""
    ) -> list[Outcome]:
        """On a decoder's thread. `lost`: what is missing before the next records."""
        stream, decoders, out = session.stream, self._tools.decoders, list[Outcome]()
        decoders.use(session)

        def work() -> None:
            if lost:
                out.extend(stream.lose(lost))
            for record in records:
                out.extend(stream.take(record))

        try:
            if not records or decoders.take(session):
                await self._tools.pool.run(work)
            else:
                most = f"worker.max_decoders is {decoders.most}: start more workers, or raise it"
                out += stream.refuse(records, PoisonError("unproven", most))
        except PoisonError as error:
            handed = {outcome.record.offset for outcome in out}
            out += stream.refuse([record for record in records if record.offset not in handed], error)
        session.update(self._tools.clock.monotonic())
        camera.sessions.rest(session)
        camera.unsettled |= {one.record.offset: (_first(one), session) for one in out}
        return out

    async def _hand_on(self, camera: _Camera, items: dict[int, Item], outcomes: Sequence[Outcome], slots: int) -> None:
        """`slots`: places for pictures that are taken already."""
        ahead = self._tools.ahead
        try:
            for outcome in outcomes:
                if outcome.picture is not None and not slots:
                    await ahead.acquire()
                    slots += 1
                task = self._handler.frame(outcome.record.delivery, outcome, self._news(camera, outcome))
                if outcome.picture is not None:
                    slots -= 1
                    task.add_done_callback(lambda _: ahead.release())
        finally:
            _release(ahead, slots)

    def _news(self, camera: _Camera, outcome: Outcome) -> CameraStatus | None:
        """The camera's status, if its health has changed."""
        status, session = camera.status, outcome.record.frame.session
        if outcome.picture is None or (status is not None and status.session not in (None, session)):
            return None
        before, camera.health = camera.health, outcome.state
        if status is None or camera.health == before:
            return None
        return changed(status, camera.health, outcome.record.frame.captured_at)

    def _leave(self, key: bytes, camera: _Camera) -> None:
        """Forget the camera, if it is over and all that came of it is published."""
        if camera.over and camera.idle and self._cameras.get(key) is camera:
            self._forget(camera)
            del self._cameras[key]

    def _forget(self, camera: _Camera) -> None:
        for session in camera.sessions:
            camera.sessions.drop(session)


def holds_video(record: Record) -> bool:
    """Whether the record says that it holds a frame of video."""
    return any(name == "content-type" and (content or b"").startswith(b"video/") for name, content in record.headers)


def _first(outcome: Outcome) -> int:
    return outcome.record.offset if outcome.start is None else min(outcome.start, outcome.record.offset)


def _session_of(item: Item) -> str:
    assert isinstance(item.message, Frame)
    return item.message.session


def _record(item: Item, handler: Handler) -> VideoRecord:
    assert isinstance(item.message, Frame)
    return VideoRecord(item.message, item.delivery.record.offset, item, handler.stale(item, item.message))


def _release(ahead: asyncio.Semaphore, slots: int) -> None:
    for _ in range(slots):
        ahead.release()
