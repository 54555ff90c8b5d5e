"""Records that can't be inspected: kept with the reason, and counted, since too many of them mean another fault."""

from collections import Counter, deque

from andon.errors import FatalError, PoisonError
from andon.wire import Outgoing, Record

TRUNCATED = "andon_quarantine_truncated_bytes"


def quarantine_record(record: Record, error: PoisonError, max_bytes: int) -> Outgoing:
    """A copy of `record` for the quarantine; headers that begin with `andon_quarantine` say where it lay and why.

    A value longer than `max_bytes` is left out, and a header says how long it was.
    """
    value = record.value or b""
    notes = {
        "andon_quarantine_reason": error.reason,
        "andon_quarantine_error": str(error)[:300],
        "andon_quarantine_topic": record.topic,
        "andon_quarantine_partition": str(record.partition),
        "andon_quarantine_offset": str(record.offset),
    }
    if len(value) > max_bytes:
        notes[TRUNCATED] = str(len(value))
        value = b""
    headers = [(name, content or b"") for name, content in record.headers]
    headers += [(name, note.encode()) for name, note in notes.items()]
    timestamp_ms = record.timestamp_ms if record.timestamp_ms >= 0 else 0
    return Outgoing(record.key or b"", value, headers, timestamp_ms)


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
