"""A camera's usual interval between two pictures, and how much longer it may take before that is a silence (pure).

One threshold for all cameras would call each interval of a slow one a silence, and miss the short outages of a fast
one. So a camera's own rhythm decides, unless line.yaml says how long the camera may be silent.
"""

from dataclasses import dataclass

SILENT_INTERVALS = 3.0
"""A camera is silent after this number of its usual intervals: one picture may be late, and one may fail."""
STEP = 1.25
"""The most by which one interval changes the usual one: an outage must not pass for the rhythm, and a camera whose rate
is changed is known anew after some twenty pictures."""
YOUNG = 8
"""Intervals after which a rhythm is known. Before, a long one may be a silence or the rhythm: the next one decides."""


@dataclass(frozen=True, slots=True)
class SilenceRule:
    """`sinks.silence_s`, and the camera's own `silence_s` if it has one."""

    least_s: float
    own_s: float | None = None

    def limit_s(self, usual_s: float | None) -> float:
        """Seconds after which a camera is silent. `usual_s`: its usual interval; None: it is not known yet."""
        if self.own_s is not None:
            return self.own_s
        return max(self.least_s, SILENT_INTERVALS * (usual_s or 0.0))


@dataclass(slots=True)
class Rhythm:
    """One camera's. It is stored with the camera's account, so a restart of the sinks or of ingest forgets nothing."""

    usual_s: float | None = None
    intervals: int = 0
    """Intervals that were seen, up to `YOUNG`."""

    @property
    def young(self) -> bool:
        return self.intervals < YOUNG

    def saw(self, interval_s: float) -> None:
        """One more interval between two frames of a session. A clock that stepped back teaches nothing."""
        if interval_s <= 0:
            return
        usual_s = self.usual_s
        if usual_s is None or (self.young and interval_s * SILENT_INTERVALS < usual_s):  # an outage came first
            self.usual_s = interval_s
        else:
            self.usual_s = min(max(interval_s, usual_s / STEP), usual_s * STEP)
        self.intervals = min(self.intervals + 1, YOUNG)
