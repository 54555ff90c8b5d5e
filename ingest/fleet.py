"""The cameras that run in this process: started, ended and restarted one by one, as they are wanted.

What is wanted is looked at as a whole, again and again: a change of the registry, of this ingester's share or of a
camera's end only says that it is time to look.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from pydantic import JsonValue

from andon.clock import Clock
from andon.messages import CameraConfig

RESTART_S = 5.0
"""How long a camera that begins anew waits for what its last capture has left: then the rest goes to its spool."""


@dataclass(frozen=True, slots=True, eq=False)
class PlannedCamera:
    """A camera that is to run here. Two are equal if they are captured alike, whenever their records were written:
    ingesters that start together write the same camera twice."""

    config: CameraConfig
    tenure: int

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PlannedCamera) and self._capture == other._capture

    def __hash__(self) -> int:
        return hash((self.config.camera_id, self.tenure))

    @property
    def _capture(self) -> tuple[object, ...]:
        return self.config.camera_id, self.settings, self.tenure

    @property
    def settings(self) -> Mapping[str, JsonValue]:
        """As they are written in the registry."""
        return self.config.settings or {}


class Runs(Protocol):
    """A camera, or what an earlier process has left of one."""

    async def run(self, stop: asyncio.Event) -> None: ...


@dataclass(slots=True, eq=False)
class _Running:
    runs: Runs
    task: asyncio.Task[None]
    wanted: PlannedCamera | None
    """None: it is not to capture, only to send what is left."""
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    ends_by_s: float | None = None
    """It holds up its successor, and is cancelled at this time."""


class Fleet:
    """Event loop only. The tasks run in `group`, so what a camera raises ends it."""

    def __init__(
        self,
        build: Callable[[PlannedCamera], Runs],
        group: asyncio.TaskGroup,
        clock: Clock,
        changed: Callable[[], object],
    ) -> None:
        """`changed` is called when a camera has ended: it is time to look."""
        self._changed = changed
        self._build = build
        self._group = group
        self._clock = clock
        self._running: dict[str, _Running] = {}

    @property
    def cameras(self) -> list[Runs]:
        """Those that run, in the order of their start."""
        return [running.runs for running in self._running.values() if not running.task.done()]

    @property
    def captures(self) -> bool:
        """Whether any of them still captures."""
        return any(of.wanted is not None and not (of.stop.is_set() or of.task.done()) for of in self._running.values())

    def send_what_is_left(self, camera_id: str, runs: Runs) -> None:
        """Run `runs`, unless the camera itself runs."""
        if camera_id not in self._running:
            self._start(camera_id, runs, None)

    def look(self, wanted: Mapping[str, PlannedCamera]) -> float | None:
        """Start what is wanted, and end what is not. Returns when to look again, in seconds; None: at the next change.

        A camera whose source has come to its end is started again only once something of it has changed.
        """
        for camera_id, running in list(self._running.items()):
            to = wanted.get(camera_id)
            if running.task.done() and (running.wanted is None or running.stop.is_set() or to != running.wanted):
                del self._running[camera_id]
            elif to != running.wanted or running.stop.is_set():
                running.stop.set()
                self._hurry(running, successor=to is not None)
        for camera_id, to in wanted.items():
            if camera_id not in self._running:
                self._start(camera_id, self._build(to), to)
        due = [of.ends_by_s for of in self._running.values() if of.ends_by_s is not None and not of.task.done()]
        return max(0.0, min(due) - self._clock.monotonic()) if due else None

    def stop(self) -> None:
        """End them all; each sends what it has."""
        for running in self._running.values():
            running.stop.set()

    async def sealed(self, timeout_s: float) -> None:
        """Return when all of them have ended, and at the latest after this time: those that capture nothing any more
        may still send what they have."""
        tasks = [running.task for running in self._running.values()]
        if tasks:
            await asyncio.wait(tasks, timeout=timeout_s)

    def _hurry(self, running: _Running, *, successor: bool) -> None:
        now_s = self._clock.monotonic()
        if not successor:
            running.ends_by_s = None
        elif running.ends_by_s is None:
            running.ends_by_s = now_s if running.wanted is None else now_s + RESTART_S
        if running.ends_by_s is not None and now_s >= running.ends_by_s:
            running.task.cancel()

    def _start(self, camera_id: str, runs: Runs, wanted: PlannedCamera | None) -> None:
        stop = asyncio.Event()
        task = self._group.create_task(runs.run(stop), name=f"camera.{camera_id}")
        task.add_done_callback(lambda _: self._changed())
        self._running[camera_id] = _Running(runs, task, wanted, stop)
