"""This shift's parts, counted once for all viewers."""

from dataclasses import dataclass
from datetime import datetime

from andon.clock import Clock
from andon.settings import BoardTarget, Settings
from sinks.board.hub import Hub
from sinks.board.queries.shift import Counts, counts
from sinks.board.shifts import Shift, ShiftPlan
from sinks.board.store import BoardStore

EVERY_S = 2.0
"""Between two counts."""
YOUNG_S = 300.0
"""A shift that is younger has no pace yet."""


@dataclass(frozen=True, slots=True)
class Production:
    """The shift that runs, and what it has made."""

    shift: Shift | None
    """None: no shift runs."""
    counts: Counts | None
    """None: parts are not followed, no shift runs, or the store has not answered yet."""
    counted_at: datetime | None
    target: BoardTarget

    @property
    def yield_percent(self) -> float | None:
        """Good parts of all parts; an unknown part is no good part. None: there was none."""
        share = self.counts.yield_share if self.counts else None
        return None if share is None else 100 * share

    @property
    def per_hour(self) -> float | None:
        """Parts an hour since the shift began."""
        if self.counts is None or self.shift is None or self.counted_at is None:
            return None
        since_s = (self.counted_at - self.shift.start).total_seconds()
        return None if since_s < YOUNG_S else self.counts.parts / since_s * 3600

    @property
    def below(self) -> bool | None:
        """Whether the yield is below its target; None: there is none yet."""
        return None if self.yield_percent is None else self.yield_percent < self.target.yield_percent


class ProductionWatch:
    """`look` is called for every tick of the news."""

    def __init__(self, store: BoardStore, hub: Hub, settings: Settings, clock: Clock) -> None:
        board = settings.board
        self._store = store
        self._hub = hub
        self._clock = clock
        self._plan = ShiftPlan.of(board)
        self._follows_parts = settings.parts is not None
        self._next_s = 0.0
        self.now = Production(None, None, None, board.target)

    async def look(self) -> None:
        """Count again if it is time. Raises RetryableError while the store is away."""
        if self._clock.monotonic() < self._next_s:
            return
        at = self._clock.now()
        shift = self._plan.current(at)
        found = None
        if shift is not None and self._follows_parts:
            found = await self._store.reads.run(lambda connection: counts(connection, shift.start, shift.end))
        before, self.now = self.now, Production(shift, found, at, self.now.target)
        self._next_s = self._clock.monotonic() + EVERY_S
        if (before.shift, before.counts) != (shift, found):
            self._hub.publish("shift", {})
