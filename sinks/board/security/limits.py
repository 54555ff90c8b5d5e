"""Bounds the guesses of a password: failed log-ins of one user, and from one address, in a quarter of an hour."""

from collections import OrderedDict, deque

from andon.clock import Clock

WINDOW_S = 900.0
MOST_KEYS = 10_000
"""Users and addresses that are remembered; past it the one that failed longest ago is forgotten."""


class LoginLimits:
    def __init__(self, attempts: int, clock: Clock) -> None:
        self._attempts = attempts
        self._clock = clock
        self._failed: OrderedDict[str, deque[float]] = OrderedDict()

    def wait_s(self, *keys: str) -> float:
        """Seconds until these may try again; 0: now."""
        return max((self._wait_s(key) for key in keys), default=0.0)

    def failed(self, *keys: str) -> None:
        """Count a failed log-in for each."""
        for key in keys:
            times = self._failed.setdefault(key, deque(maxlen=self._attempts))
            times.append(self._clock.monotonic())
            self._failed.move_to_end(key)
        while len(self._failed) > MOST_KEYS:
            self._failed.popitem(last=False)

    def passed(self, key: str) -> None:
        """Forget the failures of a user who is in now."""
        self._failed.pop(key, None)

    def _wait_s(self, key: str) -> float:
        times = self._failed.get(key)
        if times is None or len(times) < self._attempts:
            return 0.0
        return max(0.0, times[0] + WINDOW_S - self._clock.monotonic())
