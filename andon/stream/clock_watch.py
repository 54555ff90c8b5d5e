"""Reports clocks that are off, are set, or tell a time before this program was made."""

import asyncio
from datetime import UTC, datetime

from andon.events import ClockSkew, ClockStepped, ClockUnset, Emit
from andon.process.lifecycle import Life
from andon.process.metrics import Reading
from andon.stream.broker_clock import AGREE_S, SKEW_S, BrokerClock

EARLIEST = datetime(2026, 1, 1, tzinfo=UTC)
"""A host whose clock shows an earlier time has lost it."""
LOOK_S = 1.0
CHANGED = 0.1
"""An offset is reported again when it has changed by SKEW_S, and by this share of itself."""


class ClockWatch:
    """One process's. Event loop only."""

    def __init__(self, clock: BrokerClock, emit: Emit) -> None:
        self._clock = clock
        self._emit = emit
        self._reported: dict[str, float] = {}

    async def run(self) -> None:
        """Never returns; cancel it at any time."""
        host = self._clock.host()
        if host < EARLIEST:
            self._emit(ClockUnset(host.isoformat()))
        while True:
            await asyncio.sleep(LOOK_S)
            self.look()

    def look(self) -> None:
        step_s = self._clock.look()
        if step_s:
            self._emit(ClockStepped(step_s, self._clock.host().isoformat()))
        for peer, offset_s in self._clock.offsets().items():
            self._compare(peer, offset_s)

    def readings(self) -> list[Reading]:
        """For the gauge `andon_clock_offset_seconds`, from the scraping thread."""
        return [((peer,), offset_s) for peer, offset_s in self._clock.offsets().items()]

    def _compare(self, peer: str, offset_s: float) -> None:
        before_s = self._reported.get(peer)
        if before_s is None:
            if abs(offset_s) >= SKEW_S:
                self._report(peer, offset_s, "began")
        elif abs(offset_s) < AGREE_S:
            self._emit(ClockSkew(peer, offset_s, "ended"))
            del self._reported[peer]
        elif abs(offset_s - before_s) >= max(SKEW_S, CHANGED * abs(before_s)):
            self._report(peer, offset_s, "changed")

    def _report(self, peer: str, offset_s: float, state: str) -> None:
        self._reported[peer] = offset_s
        self._emit(ClockSkew(peer, offset_s, state))


def watched_clock(life: Life) -> tuple[BrokerClock, ClockWatch]:
    """The line's time for a role, its gauge, and the watch that the role must run."""
    clock = BrokerClock(life.clock)
    watch = ClockWatch(clock, life.emit)
    life.metrics.watch("andon_clock_offset_seconds", watch.readings)
    if life.tracing is not None:
        life.tracing.clock = clock
    return clock, watch
