"""Judges whether a stream's timestamps advance as fast as time does, by the host's monotonic clock (pure)."""

LATE_S = 0.5
"""A picture is late if it comes later than its timestamp says by more than this."""
LATE_FOR_S = 0.8
"""If pictures are late for this long in real time, with no punctual one in between, the camera's clock is slow. For
less, the network held them up and the timestamps are right."""
WINDOW_S = 10.0
"""Timestamps are not trusted if the camera's clock is found to be slow twice in this time, or within this time of the
first picture. They are trusted again if they keep pace for this long."""
AHEAD_S = 2.0
"""Nor are they if they gain more than this in that time. What the network held up gains less when it comes through."""
PUNCTUAL_S = 0.5
"""They keep pace if they gain or lose no more than this in that time."""
BURST_S = 2.0
"""Seconds after the first picture in which they may gain anything: a server sends what it has stored at once."""


class Pace:
    """One stream's. Call `slow` and `measure` for each picture."""

    def __init__(self) -> None:
        self.trusted = True
        self._late_since_s: float | None = None
        self._anchored_s: float | None = None
        self._window: tuple[float, float] | None = None
        """When the window began: on the monotonic clock, and on the stream's timeline."""

    def slow(self, at_s: float, late_s: float) -> bool:
        """Whether a picture that comes at `at_s`, so much later than its timestamp says, shows the clock to be slow."""
        if self._anchored_s is None:
            self._anchored_s = at_s
        if late_s <= LATE_S:
            self._late_since_s = None
            return False
        if self._late_since_s is None:
            self._late_since_s = at_s
        if at_s - self._late_since_s < LATE_FOR_S:
            return False
        if at_s - self._anchored_s < WINDOW_S:
            self._judge(at_s, trusted=False)
        self._late_since_s, self._anchored_s = None, at_s
        return True

    def measure(self, at_s: float, stream_s: float) -> None:
        """Compare both clocks once a window."""
        if self._window is None:
            self._window = at_s + BURST_S, stream_s
        began_s, stream_began_s = self._window
        if at_s <= began_s:
            self._window = began_s, stream_s
            return
        real_s = at_s - began_s
        if real_s < WINDOW_S:
            return
        gained_s = stream_s - stream_began_s - real_s
        if self.trusted and gained_s > AHEAD_S * real_s / WINDOW_S:
            self._judge(at_s, trusted=False)
        elif not self.trusted and abs(gained_s) <= PUNCTUAL_S:
            self._judge(at_s, trusted=True)
        self._window = at_s, stream_s

    def _judge(self, at_s: float, *, trusted: bool) -> None:
        self.trusted = trusted
        self._window, self._anchored_s, self._late_since_s = None, at_s, None
