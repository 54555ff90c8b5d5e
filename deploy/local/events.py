"""The events of a supervisor; they go to a log like those of every role."""

from dataclasses import dataclass
from typing import ClassVar

from andon.events import Event, Level


@dataclass(frozen=True, slots=True)
class RoleStarted(Event):
    name: ClassVar[str] = "role.started"
    process: str
    pid: int


@dataclass(frozen=True, slots=True)
class RoleDied(Event):
    """It ended unasked; it starts again after `after_s`."""

    name: ClassVar[str] = "role.died"
    level: ClassVar[Level] = "error"
    process: str
    code: int
    """Negative: the signal that ended it."""
    said: str
    """Why, by the last line of its log that says so."""
    after_s: float


@dataclass(frozen=True, slots=True)
class PoolScaled(Event):
    """A pool's number of workers follows its lag."""

    name: ClassVar[str] = "pool.scaled"
    pool: str
    before: int
    workers: int
    lag: int
    """Records."""


@dataclass(frozen=True, slots=True)
class StageStopped(Event):
    """A group of roles was stopped. `left`: records that were not worked off; None: unknown."""

    name: ClassVar[str] = "stage.stopped"
    stage: str
    left: int | None
    codes: str
    seconds: float
