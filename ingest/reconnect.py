"""How long to wait before a camera is tried again: attempts never end (pure)."""

from andon.backoff import Backoff

FIRST_S = 0.25


class Reconnect:
    """Longer after each failure, up to `most_s`; from the start again once a camera has delivered for longer."""

    def __init__(self, most_s: float) -> None:
        self._most_s = most_s
        self._backoff = Backoff(first_s=FIRST_S, most_s=most_s)
        self._failures = 0

    def delay_s(self, delivered_s: float) -> float:
        """The wait after a loss, or after an attempt that failed (0 s delivered, however long it took)."""
        self._failures = 1 if delivered_s > self._most_s else self._failures + 1
        return self._backoff.delay_s(self._failures)
