"""The end of a fault, on both clocks."""

from dataclasses import dataclass
from datetime import datetime

from andon.clock import Clock


@dataclass(frozen=True, slots=True)
class Moment:
    at: datetime
    """Compared with the capture times of frames."""
    monotonic_s: float
    """Durations are measured from here."""

    @classmethod
    def now(cls, clock: Clock) -> "Moment":
        return cls(clock.now(), clock.monotonic())
