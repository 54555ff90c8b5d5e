"""A limit to the records that a worker quarantines: past it, the fault is not the records'."""

from collections import Counter, deque

from andon.errors import FatalError, PoisonError


class QuarantineLimit:
    """Lets at most `limit` records into quarantine within `window_s`: a bad release must not quarantine a line."""

    def __init__(self, limit: int, window_s: float) -> None:
        self._limit = limit
        self._window_s = window_s
        self._recent: deque[tuple[float, str]] = deque()

    def admit(self, error: PoisonError, now: float) -> None:
        """Count one more record at `now`, by a monotonic clock. Raises FatalError, with the reasons, past the limit."""
        self._recent.append((now, error.reason))
        while self._recent and now - self._recent[0][0] > self._window_s:
            self._recent.popleft()
        if len(self._recent) <= self._limit:
            return
        counts = Counter(reason for _, reason in self._recent)
        reasons = ", ".join(f"{reason} {count}" for reason, count in counts.most_common())
        raise FatalError(
            f"{len(self._recent)} records for quarantine within {self._window_s:.0f} s ({reasons}; last: {error}), "
            f"worker.quarantine_limit is {self._limit}: look at the model, and at the "
            "source of the frames: the records are hardly at fault"
        )
