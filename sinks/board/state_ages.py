"""How old the news of each camera is, on the board's own clock.

The clocks of sinks and board may differ, and a clock may be set. So the board takes the moment at which it saw a state
change; only a state that was there at the start is dated by what the sink wrote.
"""

from collections.abc import Mapping
from datetime import datetime

from andon.cameras.live import LiveState
from andon.clock import Clock
from sinks.board.tiles import AgedState


class StateAges:
    """Remembers one moment for each camera."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._updates: dict[str, tuple[datetime | None, float]] = {}
        """By camera: the state's `updated_at`, and when the board first saw it, on the monotonic clock."""

    def of(self, states: Mapping[str, LiveState]) -> dict[str, AgedState]:
        """The states with their ages. Cameras that are not among them are forgotten."""
        self._updates = {name: self._update_of(name, live) for name, live in states.items()}
        now_s = self._clock.monotonic()
        return {name: AgedState(live, now_s - self._updates[name][1]) for name, live in states.items()}

    def _update_of(self, camera_id: str, live: LiveState) -> tuple[datetime | None, float]:
        before, now_s = self._updates.get(camera_id), self._clock.monotonic()
        if before is not None:
            return before if before[0] == live.updated_at else (live.updated_at, now_s)
        old_s = 0.0 if live.updated_at is None else (self._clock.now() - live.updated_at).total_seconds()
        return live.updated_at, now_s - max(0.0, old_s)
