"""Whether the detector is busy, from the share of the last seconds in which it computed. Pure."""

import math

SPAN_S = 2.0
"""What lies this far back counts for a third of what happens now."""
BUSY = 0.6
"""From this share on the detector is busy."""
SPARE = 0.4
"""Down to this share it stays so: batches that gather make it less busy, and must not end that by themselves."""


class BusyShare:
    """Times are those of a monotonic clock."""

    def __init__(self) -> None:
        self._computes = False
        self._share = 0.0
        self._at_s: float | None = None
        """When the share was that."""
        self._busy = False

    def note(self, now_s: float, *, computes: bool) -> None:
        """From now on the detector computes, or it does not."""
        self._share, self._at_s, self._computes = self.value(now_s), now_s, computes

    def value(self, now_s: float) -> float:
        """From 0 to 1."""
        if self._at_s is None:
            return 0.0
        kept = math.exp(-max(0.0, now_s - self._at_s) / SPAN_S)
        return self._share * kept + (1.0 - kept) * self._computes

    def is_busy(self, now_s: float) -> bool:
        self._busy = self.value(now_s) > (SPARE if self._busy else BUSY)
        return self._busy
