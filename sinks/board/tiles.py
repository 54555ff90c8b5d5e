"""What the board says of one camera: a state by symbol and word, and how old that is. Pure.

A tile is only as good as its newest news. Ages are measured on the board's monotonic clock, from the moment at which it
heard; only what was there before the board started is dated by the sinks' clock.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Literal

from andon.cameras.live import LiveState

Kind = Literal["normal", "abnormal", "fault", "blind", "off"]
"""How a camera does, by the meanings of IEC 60073. `blind`: nothing is known; `off`: nothing is expected."""
SYMBOLS: Mapping[Kind, str] = MappingProxyType({"normal": "●", "abnormal": "▲", "fault": "■", "blind": "◌", "off": "⊘"})
FAULTS = frozenset({"offline", "stalled"})
ABNORMAL = frozenset({"connecting", "stopped", "frozen", "dark", "overexposed", "blurred"})
"""`stopped`: its ingester was stopped, or its file has ended, and yet the line is to have this camera."""
BEHIND_S = 10.0
"""A camera's newest inspected frame is older: what is shown of it is the past. 10: a stop of the line's belt is seen,
but no change of a partition's owner makes every tile yellow."""
BLIND = "blind"
"""The name of the state in which nothing is known."""


@dataclass(frozen=True, slots=True)
class AgedState:
    """A camera's live state, and how old it is."""

    live: LiveState
    age_s: float
    """Since the board heard of the camera."""

    @property
    def frame_age_s(self) -> float | None:
        """How old the newest frame is that is accounted for; None: there was none."""
        if self.live.last_frame_at is None or self.live.updated_at is None:
            return None
        return max(0.0, (self.live.updated_at - self.live.last_frame_at).total_seconds()) + self.age_s


@dataclass(frozen=True, slots=True)
class Tile:
    """One camera on the board."""

    camera_id: str
    kind: Kind
    state: str
    """The word: a state of the camera, `behind`, `blind`, `disabled`."""
    detail: str
    since: datetime | None
    """When the camera came into this state."""
    heard_s: float | None
    """Seconds since the board last heard of it; None: never."""
    frame_age_s: float | None
    verdict: str
    """On its last frame: pass, fail or unknown. Old news are no verdict: `unknown`."""
    fps: float | None
    open_defects: int

    @property
    def symbol(self) -> str:
        return SYMBOLS[self.kind]


def tile(camera_id: str, latest: AgedState | None, fresh_s: float, *, enabled: bool = True) -> Tile:
    """The tile of a camera. `fresh_s`: how long its news counts."""
    if latest is None:
        kind: Kind = "blind" if enabled else "off"
        return Tile(camera_id, kind, BLIND if enabled else "disabled", "", None, None, None, "unknown", None, 0)
    live, age_s = latest.live, latest.frame_age_s
    kind, state = _kind(live, latest, fresh_s, enabled=enabled)
    return Tile(
        camera_id,
        kind,
        state,
        live.detail,
        live.state_since,
        latest.age_s,
        age_s,
        live.last_verdict if kind in ("normal", "abnormal") else "unknown",
        live.fps,
        live.open_defects,
    )


def _kind(live: LiveState, latest: AgedState, fresh_s: float, *, enabled: bool) -> tuple[Kind, str]:
    if not enabled:
        return "off", "disabled"
    if latest.age_s > fresh_s and live.state != "stopped":  # nobody says more of it
        return "blind", BLIND
    if live.state in FAULTS:
        return "fault", live.state
    if live.state in ABNORMAL:
        return "abnormal", live.state
    if live.state != "online":
        return "blind", BLIND
    late = latest.frame_age_s is not None and latest.frame_age_s > BEHIND_S
    return ("abnormal", "behind") if late else ("normal", live.state)
