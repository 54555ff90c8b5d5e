"""Judges the image health of one camera's decoded video, by the rules that its frames carry."""

from pydantic import ValidationError

from andon.messages import Frame, ImageHealth
from andon.pictures.health.judgement import UsualSharpness
from andon.pictures.health.monitor import HealthMonitor
from andon.pictures.picture import Pixels
from andon.settings import HealthSettings


class VideoHealth:
    """Of one session. On one thread at a time."""

    def __init__(self, before: "VideoHealth | None" = None) -> None:
        """`before`: of the camera's session before, whose usual sharpness goes on."""
        self.camera: ImageHealth | None = None
        """The fault of the camera's pictures. None: they have none, or nobody is to judge them."""
        self._monitor: HealthMonitor | None = None
        self._usual: UsualSharpness | None = None if before is None else before._usual
        self._rules: str | None = None if before is None else before._rules
        self._began = False
        self._at_s = 0.0

    def saw(self, frame: Frame, pixels: Pixels) -> ImageHealth | None:
        """The next picture in the order of presentation. Returns what is wrong with it; None: nothing."""
        if not self._began or frame.health_rules != self._rules:
            self._begin(frame.health_rules)
        if self._monitor is None:
            return frame.health
        at_s = frame.captured_at.timestamp() if frame.media_time_s is None else frame.media_time_s
        self._at_s = max(self._at_s, at_s)
        return self._monitor.saw(lambda: pixels, self._at_s)

    def _begin(self, text: str | None) -> None:
        same, self._rules, self._began = text == self._rules, text, True
        rules = _settings(text)
        self._monitor, self._at_s, self.camera = None, 0.0, None
        if rules is None:
            return
        if self._usual is None or not same:
            self._usual = UsualSharpness(rules.learn_s)
        self._monitor = HealthMonitor(rules, self._usual, self._changed, lambda *_: None)

    def _changed(self, health: ImageHealth | None) -> None:
        self.camera = health


def _settings(rules: str | None) -> HealthSettings | None:
    """None: nobody is to judge. Rules of a later version that can't be read are as none."""
    if rules is None:
        return None
    try:
        settings = HealthSettings.model_validate_json(rules)
    except ValidationError:
        return None
    return settings if settings.enabled else None
