"""How long to wait before the next attempt at something that is away: longer each time, bounded, not in step."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from andon.errors import RetryableError
from andon.events import Emit, Retrying

T = TypeVar("T")


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


@dataclass(frozen=True, slots=True)
class Retrier:
    """Repeats what can be retried, for ever: what is away comes back, and nothing is lost meanwhile."""

    emit: Emit
    backoff: Backoff
    pause: Callable[[float], Awaitable[object]] = asyncio.sleep

    async def insist(self, what: str, call: Callable[[], Awaitable[T]]) -> T:
        """Await `call()` until it raises no RetryableError; `what` names it in the events."""
        attempt = 0
        while True:
            try:
                return await call()
            except RetryableError as error:
                attempt += 1
                delay_s = self.backoff.delay_s(attempt)
                self.emit(Retrying(what, str(error), attempt, delay_s))
                await self.pause(delay_s)
