"""The one reader of news for all viewers: it looks at Redis and at the store twice a second, and publishes what is new.

Each source is looked at by a loop of its own, so that one which is away delays no other. The beat says once a second
that this reader lives, and which source is silent since when: a page without beats knows that it shows the past.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from pydantic import JsonValue
from redis.asyncio import Redis

from andon.clock import Clock
from andon.errors import RetryableError
from andon.events import Emit, NewsFound, NewsLost
from andon.messages import Defect
from andon.redis import address, refusal, why
from andon.settings import BoardSettings, RedisSettings
from sinks.board.hub import Hub
from sinks.board.queries import news as queries
from sinks.board.store import BoardStore
from sinks.channels.redis_errors import FAILURES

BEAT_S = 1.0
LATE_S = 4.0
"""Seconds without an answer after which a source is reported as silent."""
SHOWN_DEFECTS = 50
REDIS, STORE = "redis", "store"
Look = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class CameraNews:
    """A camera as the sinks describe it in Redis; unknown values are empty."""

    camera_id: str
    fields: Mapping[str, str]

    @property
    def state(self) -> str:
        return self.fields.get("state", "")

    @property
    def last_verdict(self) -> str:
        return self.fields.get("last_verdict", "")

    @property
    def last_frame(self) -> str:
        """Its id."""
        return self.fields.get("last_frame", "")

    @property
    def last_frame_at(self) -> datetime | None:
        return self.moment("last_frame_at")

    @property
    def fps(self) -> float:
        return float(self.fields.get("fps") or 0.0)

    def moment(self, name: str) -> datetime | None:
        text = self.fields.get(name)
        return datetime.fromisoformat(text) if text else None

    def count(self, name: str) -> int:
        return int(self.fields.get(name) or 0)


@dataclass(slots=True, eq=False)
class _Source:
    name: str
    look: Look
    answered_s: float
    """When it last answered, on the monotonic clock."""
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class NewsSources:
    redis: Redis
    redis_settings: RedisSettings
    store: BoardStore
    clock: Clock
    emit: Emit


@dataclass(slots=True, eq=False)
class _Defects:
    """The newest defects, and which changes are known."""

    newest: tuple[Defect, ...] = ()
    last_changes: dict[str, datetime] = field(default_factory=dict)
    read: bool = False
    """What was there at the start is no news."""

    @property
    def since(self) -> datetime | None:
        return max(self.last_changes.values(), default=None)


class News:
    def __init__(self, sources: NewsSources, hub: Hub, settings: BoardSettings) -> None:
        self._from = sources
        self._hub = hub
        self._settings = settings
        self._sources: dict[str, _Source] = {}
        self._defects = _Defects()
        self.cameras: Mapping[str, CameraNews] = {}
        """By id; those of the last answer, while Redis is away."""
        self.every(REDIS, self._look_at_cameras)
        self.every(STORE, self._look_at_defects)

    @property
    def defects(self) -> Sequence[Defect]:
        """The last events of the defects that changed last, the newest first."""
        return self._defects.newest

    @property
    def redis_fault(self) -> str | None:
        """Why the cameras are not those of now. None: they are."""
        return self.faults().get(REDIS)

    @property
    def store_fault(self) -> str | None:
        return self.faults().get(STORE)

    def every(self, name: str, look: Look) -> None:
        """Call `look` every `board.poll_s`. It raises RetryableError while its source is away. Before `run` only."""
        self._sources[name] = _Source(name, look, self._from.clock.monotonic())

    async def run(self) -> None:
        """Look until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._beat(), name="board.beat")
            for source in self._sources.values():
                tasks.create_task(self._watch(source), name=f"board.news.{source.name}")

    async def _watch(self, source: _Source) -> None:
        while True:
            try:
                await source.look()
            except RetryableError as error:
                if source.fault is None:
                    self._from.emit(NewsLost(source.name, str(error)))
                source.fault = str(error)
            else:
                if source.fault is not None:
                    self._from.emit(NewsFound(source.name))
                source.fault = None
                source.answered_s = self._from.clock.monotonic()
            await asyncio.sleep(self._settings.poll_s)

    async def _beat(self) -> None:
        while True:
            at = self._from.clock.now().isoformat(timespec="milliseconds")
            self._hub.publish("beat", {"at": at, "faults": dict(self.faults())}, keep=False)
            await asyncio.sleep(BEAT_S)

    def faults(self) -> dict[str, str]:
        """What each silent source said, or for how long it has said nothing."""
        now_s = self._from.clock.monotonic()
        silent = {
            source.name: f"{source.name} has not answered for {now_s - source.answered_s:.0f} s"
            for source in self._sources.values()
            if now_s - source.answered_s > LATE_S
        }
        return silent | {source.name: source.fault for source in self._sources.values() if source.fault is not None}

    async def _look_at_cameras(self) -> None:
        cameras = await self._read_cameras()
        changed = [name for name, camera in cameras.items() if camera != self.cameras.get(name)]
        gone = sorted(self.cameras.keys() - cameras.keys())
        self.cameras = cameras
        if changed or gone:
            self._hub.publish("cameras", {"changed": [*changed], "gone": [*gone]})

    async def _read_cameras(self) -> dict[str, CameraNews]:
        redis, settings = self._from.redis, self._from.redis_settings
        try:
            async with asyncio.timeout(settings.timeout_s):
                members = await redis.smembers(f"{settings.prefix}:cameras")
                names = sorted(member.decode() if isinstance(member, bytes) else member for member in members)
                async with redis.pipeline(transaction=False) as pipe:
                    for name in names:
                        pipe.hgetall(f"{settings.prefix}:camera:{name}")
                    answers = await pipe.execute() if names else []
        except FAILURES as error:
            raise RetryableError(f"redis at {address(redis)}: {refusal(error) or why(error)}") from None
        return {name: _camera(name, answer) for name, answer in zip(names, answers, strict=True) if answer}

    async def _look_at_defects(self) -> None:
        known, store = self._defects, self._from.store
        changes = await store.read(lambda connection: queries.changed_defects(connection, known.since))
        new = [name for name, at in changes if known.last_changes.get(name) != at]
        first, known.read = not known.read, True
        if not new:
            return
        found = await store.read(lambda connection: queries.defects(connection, new[:SHOWN_DEFECTS]))
        known.last_changes = dict(changes)
        again = {defect.defect_id for defect in found}
        rest = (defect for defect in known.newest if defect.defect_id not in again)
        known.newest = tuple(sorted((*found, *rest), key=lambda defect: defect.at, reverse=True)[:SHOWN_DEFECTS])
        if not first:
            self._hub.publish("defects", {"defects": [_shown(defect) for defect in found]})


def _camera(name: str, fields: Mapping[bytes, bytes]) -> CameraNews:
    return CameraNews(name, {key.decode(): value.decode(errors="replace") for key, value in fields.items()})


def _shown(defect: Defect) -> JsonValue:
    return {
        "id": defect.defect_id,
        "camera": defect.camera_id,
        "label": defect.label,
        "severity": defect.severity,
        "transition": defect.transition,
        "at": defect.at.isoformat(),
    }
