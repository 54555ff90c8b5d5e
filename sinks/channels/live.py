"""Writes the latest state of each camera to Redis, for boards and for people at redis-cli.

Every value is absolute, so a repeated write changes nothing. Memory holds the truth: a value that Redis has lost is
written again. The account only leaves states and inspections here; one task writes them, however slow Redis is.

Keys: `<prefix>:cameras` (set of ids), `<prefix>:camera:<id>` (hash), `<prefix>:inspection:<id>` (the inspection of its
newest inspected frame, with which a board finds the picture), `<prefix>:inspections` (capped stream).
"""

import asyncio
import itertools
import math
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import get_args

from redis.asyncio import Redis
from redis.asyncio.client import Pipeline
from redis.typing import EncodableT, FieldT

from andon.backoff import Backoff
from andon.clock import Clock
from andon.events import Emit, SinkFailed, SinkRefused, SinkWrote
from andon.messages import Inspection, Outcome
from andon.process.progress import Work
from andon.process.tasks import wake_at_stop
from andon.settings import RedisSettings
from sinks.channels.channel import SinkBroken
from sinks.channels.redis_errors import FAILURES, failure
from sinks.judgement.rules import Verdict
from sinks.judgement.snapshot import CameraSnapshot

SINK = "live"


@dataclass(frozen=True, slots=True)
class LiveLimits:
    waiting_inspections: int = 2_000
    """Bound of the inspections that wait for Redis. Past it the oldest are left out of the stream, and counted."""
    write_inspections: int = 500
    """Most inspections in one write."""
    every_s: float = 0.25
    """Pause between two writes, unless more waits than one write takes. Nobody who watches a board reads faster."""
    silent_s: float = math.inf
    """A camera of which nothing is heard for longer is shown as stalled (`run.stalled_s`)."""
    silence_check_s: float = 1.0
    """Interval between two looks for such cameras."""
    backoff: Backoff = field(default_factory=lambda: Backoff(first_s=0.2, most_s=5.0))
    pause: Callable[[float], Awaitable[object]] = asyncio.sleep


class RedisLive:
    """A Live over Redis. `run` does the writing; the caller closes the client."""

    def __init__(
        self, client: Redis, settings: RedisSettings, clock: Clock, emit: Emit, limits: LiveLimits = LiveLimits()
    ) -> None:
        self._client = client
        self._settings = settings
        self._clock = clock
        self._emit = emit
        self._limits = limits
        self._owned: frozenset[int] = frozenset()
        self._latest: dict[str, CameraSnapshot] = {}
        """The state of each camera in the owned partitions. Other sinks have newer states of all others."""
        self._newest: dict[str, Inspection] = {}
        """Of each of these cameras: its newest inspected frame."""
        self._partition: dict[str, int] = {}
        """The partition of each of these cameras."""
        self._written_at: dict[str, str] = {}
        """`updated_at` as this process last wrote it."""
        self._heard_s: dict[str, float] = {}
        """When something was last accounted for, on the monotonic clock."""
        self._silent: set[str] = set()
        """Cameras of which nothing is heard."""
        self._dirty: set[str] = set()
        """Cameras whose latest snapshot has not reached Redis."""
        self._inspections: deque[Inspection] = deque()
        self.left_out = 0
        """Inspections that the stream lacks; counted since the last failure was logged."""
        self._writes = 0
        self._changed = asyncio.Event()

    def own(self, partitions: frozenset[int]) -> None:
        """Forget the cameras of all other partitions: their owner writes newer states."""
        self._owned = partitions
        for camera in [camera for camera, partition in self._partition.items() if partition not in partitions]:
            del self._partition[camera], self._latest[camera], self._heard_s[camera]
            self._silent.discard(camera)
            self._written_at.pop(camera, None)
            self._newest.pop(camera, None)
            self._dirty.discard(camera)

    async def show(
        self, partition: int, snapshots: Sequence[CameraSnapshot], inspections: Sequence[Inspection]
    ) -> None:
        """Leave states and inspections for the writer. Returns at once, raises nothing."""
        for snapshot in snapshots if partition in self._owned else ():
            self._partition[snapshot.camera_id] = partition
            self._latest[snapshot.camera_id] = snapshot
            self._heard_s[snapshot.camera_id] = self._clock.monotonic()
            self._silent.discard(snapshot.camera_id)
            self._dirty.add(snapshot.camera_id)
        if partition in self._owned:
            self._newest |= {item.camera_id: item for item in inspections if item.outcome == "inspected"}
        self._inspections.extend(inspections)
        while len(self._inspections) > self._limits.waiting_inspections:
            self._inspections.popleft()
            self.left_out += 1
        self._changed.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Write what is new until `stop`, and a last time after it. Never raises an error of Redis."""
        failures = 0
        with wake_at_stop(stop, self._changed.set, "live") as stopping:
            while not (stop.is_set() and (failures or not any(self.waiting))):
                self._note_silence()
                if not any(self.waiting):
                    await self._news()
                    continue
                failures = 0 if await self._written(failures + 1) else failures + 1
                if not failures:
                    await self._rest(stopping)

    async def _news(self) -> None:
        """Wait until something is left here, or a camera may have fallen silent."""
        self._changed.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._limits.silence_check_s):
                await self._changed.wait()

    def _note_silence(self) -> None:
        now_s = self._clock.monotonic()
        for camera, heard_s in self._heard_s.items():
            stopped = self._latest[camera].state == "stopped"
            if camera not in self._silent and not stopped and now_s - heard_s > self._limits.silent_s:
                self._silent.add(camera)
                self._dirty.add(camera)

    @property
    def waiting(self) -> tuple[int, int]:
        """The numbers of states and of inspections that are not yet in Redis."""
        return len(self._dirty), len(self._inspections)

    def work(self) -> Work:
        """Whether what waits gets written."""
        return Work(self._writes, any(self.waiting))

    async def _rest(self, stopping: asyncio.Task[None]) -> None:
        if len(self._inspections) < self._limits.write_inspections:
            await asyncio.wait({stopping}, timeout=self._limits.every_s)

    async def _written(self, attempt: int) -> bool:
        """Write once. After a failure, pause and return False."""
        begun_s = self._clock.monotonic()
        try:
            async with asyncio.timeout(self._settings.timeout_s):
                await self._write()
        except FAILURES as error:
            delay_s = self._limits.backoff.delay_s(attempt)
            meaning = failure(self._client, error)
            event = SinkRefused if isinstance(meaning, SinkBroken) else SinkFailed
            self._emit(event(SINK, f"{meaning}{self._left_out()}", delay_s))
            await self._limits.pause(delay_s)
            return False
        self._writes += 1
        self._emit(SinkWrote(SINK, self._clock.monotonic() - begun_s))
        return True

    def _left_out(self) -> str:
        left_out, self.left_out = self.left_out, 0
        return f"; {left_out} inspections left out of its stream" if left_out else ""

    async def _write(self) -> None:
        """Write everything in one round trip; it counts as written when Redis has answered."""
        now = self._clock.now()
        cameras = [self._latest[camera] for camera in sorted(self._dirty)]
        others = sorted(self._latest.keys() - self._dirty)
        inspections = list(itertools.islice(self._inspections, self._limits.write_inspections))
        async with self._client.pipeline(transaction=False) as pipe:
            for camera in others:
                pipe.hget(self._key(f"camera:{camera}"), "updated_at")
            self._fill(pipe, cameras, inspections, now)
            answers = await pipe.execute()
        self._strike_off(cameras, inspections, now)
        # Redis may have come back empty, or have taken a former owner's write late: such a camera is written again
        there = dict(zip(others, answers[: len(others)], strict=True))
        ours = self._latest.keys() & there.keys()
        self._dirty |= {camera for camera in ours if there[camera] != self._written_at[camera].encode()}

    def _fill(
        self, pipe: Pipeline, cameras: Sequence[CameraSnapshot], inspections: Sequence[Inspection], now: datetime
    ) -> None:
        for snapshot in cameras:
            shown = _silent(snapshot, self._limits.silent_s) if snapshot.camera_id in self._silent else snapshot
            pipe.hset(self._key(f"camera:{snapshot.camera_id}"), mapping=_fields(shown, now))
            if (newest := self._newest.get(snapshot.camera_id)) is not None:
                pipe.set(self._key(f"inspection:{snapshot.camera_id}"), newest.model_dump_json())
        if cameras:
            pipe.sadd(self._key("cameras"), *(snapshot.camera_id for snapshot in cameras))
        for inspection in inspections:
            pipe.xadd(self._key("inspections"), _entry(inspection), maxlen=self._settings.inspections_maxlen)

    def _strike_off(self, cameras: Sequence[CameraSnapshot], inspections: Sequence[Inspection], now: datetime) -> None:
        """Forget the written states and inspections, but none that came in the meantime."""
        for snapshot in cameras:
            if snapshot.camera_id in self._latest:
                self._written_at[snapshot.camera_id] = _moment(now)
            if self._latest.get(snapshot.camera_id) is snapshot:
                self._dirty.discard(snapshot.camera_id)
        for inspection in inspections:
            if self._inspections and self._inspections[0] is inspection:
                self._inspections.popleft()

    def _key(self, name: str) -> str:
        return f"{self._settings.prefix}:{name}"


def _silent(camera: CameraSnapshot, silent_s: float) -> CameraSnapshot:
    """The camera as it is shown when nothing is heard of it."""
    detail = f"nothing heard for more than {silent_s:g} s: see /readyz of its ingester and of the workers"
    return replace(camera, state="stalled", detail=detail, fps=0.0, last_verdict="unknown")


def _fields(camera: CameraSnapshot, now: datetime) -> dict[FieldT, EncodableT]:
    """The hash of a camera. An unknown value is an empty string, so that no older value stays."""
    return {
        "camera": camera.camera_id,
        "state": camera.state,
        "state_since": _moment(camera.state_since),
        "detail": camera.detail,
        "session": camera.session or "",
        "captured": camera.captured,
        **{outcome: camera.counts.get(outcome, 0) for outcome in get_args(Outcome)},
        "lost": camera.lost,
        "last_frame": camera.last_frame or "",
        "last_frame_at": _moment(camera.last_frame_at),
        "lag_s": round((now - camera.last_frame_at).total_seconds(), 3) if camera.last_frame_at else "",
        "last_verdict": camera.last_verdict,
        **{f"verdict_{verdict}": camera.verdicts.get(verdict, 0) for verdict in get_args(Verdict)},
        "fps": round(camera.fps, 2),
        "ingester": camera.ingester,
        "open_defects": camera.open_defects,
        **{f"parts_{verdict}": count for verdict, count in (camera.parts or {}).items()},
        "updated_at": _moment(now),
    }


def _entry(inspection: Inspection) -> dict[FieldT, EncodableT]:
    """An entry of the stream: the whole inspection, and beside it the fields that a person at redis-cli reads."""
    return {
        "inspection": inspection.model_dump_json(),
        "camera": inspection.camera_id,
        "frame": inspection.frame_id,
        "outcome": inspection.outcome,
        "detections": len(inspection.detections),
    }


def _moment(at: datetime | None) -> str:
    return at.isoformat() if at else ""
