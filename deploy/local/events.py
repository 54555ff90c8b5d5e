"""What a supervisor tells; the same log as every role's writes it."""

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
    """It ended unasked; it is started again after `after_s`."""

    name: ClassVar[str] = "role.died"
    level: ClassVar[Level] = "error"
    process: str
    code: int
    """Negative: the signal that ended it."""
    said: str
    after_s: float


@dataclass(frozen=True, slots=True)
class StageStopped(Event):
    """A stage was stopped in its turn. `left` records were not worked off; None: nobody could say."""

    name: ClassVar[str] = "stage.stopped"
    stage: str
    left: int | None
    codes: str
    seconds: float
