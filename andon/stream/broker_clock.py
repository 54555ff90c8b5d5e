"""Holds this machine's clock against the broker's: a worker's clock that is ahead would make every frame stale."""

from datetime import datetime, timedelta

from andon.clock import Clock

WINDOW_S = 60.0
"""A measurement counts in its own window and in the next."""


MAX_AHEAD_S = 3600.0
"""A larger difference is not counted: either the broker does not know the time, or nobody does."""


class BrokerClock:
    """The time by the earlier of two clocks: this machine's, and the broker's as far as its records prove it.

    The broker appends a record after it was sent. If it appended it earlier than it was sent, by the two clocks, this
    machine's clock is ahead by at least the difference.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._since_s = clock.monotonic()
        self._longest_s = 0.0
        """The largest difference in this window, in seconds."""
        self._before_s = 0.0
        """The same in the window before."""

    def wall_s(self) -> float:
        """This machine's time in seconds since 1970."""
        return self._clock.now().timestamp()

    def appended(self, sent_s: float, appended_ms: int) -> None:
        """A record that was sent at `sent_s`, by `wall_s`, was appended at `appended_ms`, by the broker's clock."""
        now_s = self._clock.monotonic()
        if now_s - self._since_s > WINDOW_S:
            self._since_s, self._before_s, self._longest_s = now_s, self._longest_s, 0.0
        difference_s = sent_s - appended_ms / 1000
        if difference_s < MAX_AHEAD_S:
            self._longest_s = max(self._longest_s, difference_s)

    @property
    def ahead_s(self) -> float:
        """How far this machine's clock is ahead at least. 0: it is not, or no record has proven it yet."""
        return max(self._longest_s, self._before_s)

    def now(self) -> datetime:
        return self._clock.now() - timedelta(seconds=self.ahead_s)
