"""Whether a camera's pictures can be judged at all: frozen, dark, over-exposed, blurred (pure).

Dark and over-exposed are seen on one picture; that it stays so takes `hold_s`, so that a passing shadow is no state.
Blurred is measured against the camera's own sharpness, learned from its first minute. Frozen is a picture that is the
same, pixel for pixel: a sensor's noise never is, but an encoder may hold a still scene for a moment, hence the time.
"""

from andon.messages import ImageHealth
from andon.settings import HealthSettings
from ingest.health.measurement import Measurement

KEYFRAME_CHANGE = 3.0
"""Levels by which a picture that stands still may change all at once: a keyframe is coded anew."""
KEYFRAME_S = 0.9
"""Such changes are further apart than this; what changes more often moves."""
STILL_LOOKS = 5
"""So few pictures say nothing of whether they stand still, however long apart."""
EASE = 1.25
"""What was called unhealthy is healthy again only this much beyond the threshold: it does not flap."""


class UsualSharpness:
    """What is usual for one camera. Kept over reconnects, learned anew when the picture's size changes."""

    def __init__(self, learn_s: float) -> None:
        self._learn_s = learn_s
        self._size: tuple[int, int] | None = None
        self._seen: list[float] = []
        self._learned_s = 0.0
        self._last_s: float | None = None
        self.usual: float | None = None
        """The tenth percentile of what was seen: an empty belt is less sharp than a part. None: still learning."""

    def saw(self, look: Measurement, at_s: float) -> None:
        """A healthy picture."""
        if look.size != self._size:
            self._size, self._seen, self._learned_s, self._last_s, self.usual = look.size, [], 0.0, None, None
        if look.sharpness is None or self.usual is not None:
            return
        if self._last_s is not None:
            self._learned_s += min(1.0, max(0.0, at_s - self._last_s))
        self._last_s = at_s
        self._seen.append(look.sharpness)
        if self._learned_s >= self._learn_s:
            self.usual = sorted(self._seen)[len(self._seen) // 10]
            self._seen = []

    def again(self) -> None:
        """Another session begins: its time is another one."""
        self._last_s = None


class StillPicture:
    """Since when a picture has stood still."""

    def __init__(self, most_change: float) -> None:
        self._most_change = most_change
        self._since_s: float | None = None
        self._looks = 0
        self._keyframe_s: float | None = None

    def lasts_s(self, look: Measurement, at_s: float) -> float:
        """How long it has; 0: it moves, or too few pictures say otherwise."""
        same = look.change is not None and look.change <= self._most_change
        if not same and not self._keyframe(look, at_s):
            self._since_s, self._looks, self._keyframe_s = None, 0, None
            return 0.0
        self._looks += 1
        if self._since_s is None:
            self._since_s = at_s
        return at_s - self._since_s if self._looks >= STILL_LOOKS else 0.0

    def _keyframe(self, look: Measurement, at_s: float) -> bool:
        """A still picture, coded anew."""
        if self._since_s is None or look.change is None or look.change > KEYFRAME_CHANGE:
            return False
        if self._keyframe_s is not None and at_s - self._keyframe_s < KEYFRAME_S:
            return False
        self._keyframe_s = at_s
        return True


class HealthJudgement:
    """One session's: each picture's own condition at once, and the camera's, which does not flap."""

    def __init__(self, settings: HealthSettings, usual: UsualSharpness) -> None:
        self._settings = settings
        self._sharpness = usual
        self._still = StillPicture(settings.frozen_change)
        self._last_sharpness: float | None = None
        self._since_s: float | None = None
        self._candidate: ImageHealth | None = None
        self.camera: ImageHealth | None = None
        """What the camera is; None: healthy."""

    def saw(self, look: Measurement, at_s: float) -> ImageHealth | None:
        """Take the next picture; `at_s` never goes back. Returns what is wrong with it; None: nothing."""
        now = self._condition(look, at_s)
        self._settle(now, at_s)
        if now is None and self.camera is None:
            self._sharpness.saw(look, at_s)
        own = now if now in ("dark", "overexposed") else None  # seen on one picture; the others take time
        return self.camera or own

    def _condition(self, look: Measurement, at_s: float) -> ImageHealth | None:
        settings = self._settings
        still_s = self._still.lasts_s(look, at_s)
        if look.bright < settings.dark_level * (EASE if self.camera == "dark" else 1):
            return "dark"
        margin = (255 - settings.overexposed_level) * (EASE if self.camera == "overexposed" else 1)
        if look.dim > 255 - margin:
            return "overexposed"
        if still_s >= settings.frozen_s:
            return "frozen"
        return "blurred" if self._blurred(look) else None

    def _blurred(self, look: Measurement) -> bool:
        if look.sharpness is not None:
            self._last_sharpness = look.sharpness
        usual, seen = self._sharpness.usual, self._last_sharpness
        if usual is None or seen is None:
            return False
        return seen < usual * self._settings.blurred_ratio * (EASE if self.camera == "blurred" else 1)

    def _settle(self, now: ImageHealth | None, at_s: float) -> None:
        """The camera is what its pictures have been for `hold_s`; frozen has lasted long enough already."""
        if now == self.camera:
            self._since_s = None
            return
        if self._since_s is None or now != self._candidate:
            self._candidate, self._since_s = now, at_s
        if now == "frozen" or at_s - self._since_s >= self._settings.hold_s:
            self.camera, self._since_s = now, None
