"""The proven bounds of a broker's clock, on the monotonic clock of this host. Pure."""

import math
from dataclasses import dataclass

DRIFT = 0.0002
"""Two clocks drift apart by at most this, in seconds a second: 100 ppm each."""
SETTLE_S = 10.0
"""For this long after a clock was set, frames dated by the clock as it was before may still be on their way."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """Between which values a broker's clock minus the monotonic clock of this host must lie, in seconds."""

    low_s: float = -math.inf
    high_s: float = math.inf

    @property
    def whole(self) -> bool:
        return math.isfinite(self.low_s) and math.isfinite(self.high_s)

    def after(self, seconds: float) -> "Bounds":
        """The same, so much later: the clocks may have drifted apart."""
        return Bounds(self.low_s - DRIFT * seconds, self.high_s + DRIFT * seconds)

    def within(self, other: "Bounds") -> "Bounds":
        return Bounds(max(self.low_s, other.low_s), min(self.high_s, other.high_s))

    def excess_s(self, host_s: float) -> float:
        """By how much a host's clock minus its monotonic clock is proven to be ahead; below 0: behind."""
        if host_s > self.high_s:
            return host_s - self.high_s
        return min(0.0, host_s - self.low_s)


class BoundsOfBroker:
    """The bounds of one broker's clock. News that contradicts them means that the clock was set."""

    def __init__(self) -> None:
        self._bounds = Bounds()
        self._before = Bounds()
        """The bounds before that clock was set."""
        self._set_at_s = -math.inf
        self.heard_s = 0.0

    def learn(self, news: Bounds, now_s: float) -> None:
        known = self.at(now_s)
        bounds = known.within(news)
        if bounds.low_s > bounds.high_s:
            self._before, self._set_at_s, bounds = known, now_s, news
        self._bounds, self.heard_s = bounds, now_s

    def at(self, now_s: float) -> Bounds:
        return self._bounds.after(now_s - self.heard_s)

    def lows_s(self, now_s: float) -> list[float]:
        """The lower bounds that counted of late."""
        settling = now_s - self._set_at_s < SETTLE_S
        lows = [self.at(now_s).low_s, self._before.low_s] if settling else [self.at(now_s).low_s]
        return [low for low in lows if math.isfinite(low)]
