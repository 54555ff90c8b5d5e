"""When a fault was over, on both clocks."""

from dataclasses import dataclass
from datetime import datetime

from andon.clock import Clock


@dataclass(frozen=True, slots=True)
class Moment:
    at: datetime
    """What frames' capture times are compared with."""
    monotonic_s: float
    """What durations are measured from."""

    @classmethod
    def now(cls, clock: Clock) -> "Moment":
        return cls(clock.now(), clock.monotonic())
