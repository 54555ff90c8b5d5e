"""How long to wait before the next attempt at something that is away: longer each time, bounded, not in step."""

import random
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """Exponential with equal jitter: half of each delay is fixed, half drawn, so that many who wait come back apart."""

    first_s: float = 0.2
    most_s: float = 10.0
    draw: Callable[[], float] = random.random
    """Uniform in [0, 1)."""

    def delay_s(self, attempt: int) -> float:
        """The wait after failure number `attempt`, counted from 1."""
        ceiling_s = min(self.first_s * 2.0 ** min(attempt - 1, 60), self.most_s)
        return ceiling_s * (0.5 + 0.5 * self.draw())
