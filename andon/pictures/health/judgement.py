"""Judges whether a camera's pictures are fit for a verdict: not frozen, dark, over-exposed or blurred (pure).

Dark and over-exposed show on one picture, but are the camera's state only after `hold_s`: a passing shadow is none.
Blurred is measured against the camera's own sharpness, learned from its first minute. Frozen is the same picture pixel
for pixel: a sensor's noise always differs, but an encoder may repeat a still scene for a moment, hence the time.
"""

from andon.messages import ImageHealth
from andon.pictures.health.measurement import PictureMeasurement
from andon.settings import HealthSettings

KEYFRAME_CHANGE = 3.0
"""Levels by which a still picture may change all at once: a keyframe is coded anew."""
KEYFRAME_S = 0.9
"""Keyframes are further apart than this; a picture that changes more often moves."""
STILL_MEASUREMENTS = 5
"""Fewer measurements do not show that a picture stands still, however long apart they are."""
EASE = 1.25
"""An unhealthy camera is healthy again only this factor beyond the threshold, so that it does not flap."""


class UsualSharpness:
    """The usual sharpness of one camera. Kept over reconnects, learned anew when the picture's size changes."""

    def __init__(self, learn_s: float) -> None:
        self._learn_s = learn_s
        self._size: tuple[int, int] | None = None
        self._samples: list[float] = []
        self._learned_s = 0.0
        self._last_s: float | None = None
        self.usual: float | None = None
        """The tenth percentile of the samples: an empty belt is less sharp than a part. None: still learning."""

    def saw(self, measurement: PictureMeasurement, at_s: float) -> None:
        """A healthy picture."""
        if measurement.size != self._size:
            self._size, self._samples, self._learned_s, self._last_s, self.usual = measurement.size, [], 0.0, None, None
        if measurement.sharpness is None or self.usual is not None:
            return
        if self._last_s is not None:
            self._learned_s += min(1.0, max(0.0, at_s - self._last_s))
        self._last_s = at_s
        self._samples.append(measurement.sharpness)
        if self._learned_s >= self._learn_s:
            self.usual = sorted(self._samples)[len(self._samples) // 10]
            self._samples = []

    def again(self) -> None:
        """A new session begins, with a time of its own."""
        self._last_s = None


class StillPicture:
    """Measures for how long a picture has stood still."""

    def __init__(self, most_change: float) -> None:
        self._most_change = most_change
        self._since_s: float | None = None
        self._measurements = 0
        self._keyframe_s: float | None = None

    def lasts_s(self, measurement: PictureMeasurement, at_s: float) -> float:
        """For how long it has stood still; 0: it moves, or there are too few measurements."""
        same = measurement.change is not None and measurement.change <= self._most_change
        if not same and not self._keyframe(measurement, at_s):
            self._since_s, self._measurements, self._keyframe_s = None, 0, None
            return 0.0
        self._measurements += 1
        if self._since_s is None:
            self._since_s = at_s
        return at_s - self._since_s if self._measurements >= STILL_MEASUREMENTS else 0.0

    def _keyframe(self, measurement: PictureMeasurement, at_s: float) -> bool:
        """Whether this is a still picture that was coded anew."""
        if self._since_s is None or measurement.change is None or measurement.change > KEYFRAME_CHANGE:
            return False
        if self._keyframe_s is not None and at_s - self._keyframe_s < KEYFRAME_S:
            return False
        self._keyframe_s = at_s
        return True


class HealthJudgement:
    """For one session: the condition of each picture at once, and the camera's, which does not flap."""

    def __init__(self, settings: HealthSettings, usual: UsualSharpness) -> None:
        self._settings = settings
        self._sharpness = usual
        self._still = StillPicture(settings.frozen_change)
        self._last_sharpness: float | None = None
        self._since_s: float | None = None
        self._candidate: ImageHealth | None = None
        self.camera: ImageHealth | None = None
        """The fault of the camera's pictures; None: they have none."""

    def saw(self, measurement: PictureMeasurement, at_s: float) -> ImageHealth | None:
        """Take the next picture; `at_s` never goes back. Returns what is wrong with it; None: nothing."""
        now = self._condition(measurement, at_s)
        self._settle(now, at_s)
        if now is None and self.camera is None:
            self._sharpness.saw(measurement, at_s)
        own = now if now in ("dark", "overexposed") else None  # they show on one picture; the others take time
        return self.camera or own

    def _condition(self, measurement: PictureMeasurement, at_s: float) -> ImageHealth | None:
        settings = self._settings
        still_s = self._still.lasts_s(measurement, at_s)
        if measurement.bright < settings.dark_level * (EASE if self.camera == "dark" else 1):
            return "dark"
        margin = (255 - settings.overexposed_level) * (EASE if self.camera == "overexposed" else 1)
        if measurement.dim > 255 - margin:
            return "overexposed"
        if still_s >= settings.frozen_s:
            return "frozen"
        return "blurred" if self._blurred(measurement) else None

    def _blurred(self, measurement: PictureMeasurement) -> bool:
        if measurement.sharpness is not None:
            self._last_sharpness = measurement.sharpness
        usual, last = self._sharpness.usual, self._last_sharpness
        if usual is None or last is None:
            return False
        return last < usual * self._settings.blurred_ratio * (EASE if self.camera == "blurred" else 1)

    def _settle(self, now: ImageHealth | None, at_s: float) -> None:
        """The camera takes on what its pictures have been for `hold_s`; frozen has lasted long enough already."""
        if now == self.camera:
            self._since_s = None
            return
        if self._since_s is None or now != self._candidate:
            self._candidate, self._since_s = now, at_s
        if now == "frozen" or at_s - self._since_s >= self._settings.hold_s:
            self.camera, self._since_s = now, None
