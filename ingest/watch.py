"""Image health at work, on the capture thread: looks at pictures as they come, and tells what changes."""

from collections.abc import Callable

from andon.messages import ImageHealth
from andon.settings import HealthSettings
from ingest.health import Health, Sharpness
from ingest.look import Looker
from ingest.source import Bgr

LOOK_S = 0.03
"""What comes faster is not looked at each time: a flood must not cost more than its pictures."""
SHARPNESS_S = 0.2
"""Between two measurements of sharpness, the dearest."""
Size = tuple[int, int]
"""Width and height in pixels."""


class Watch:
    """One session's. `changed` and `resized` are called from the capture thread."""

    def __init__(
        self,
        settings: HealthSettings,
        usual: Sharpness,
        changed: Callable[[ImageHealth | None], object],
        resized: Callable[[Size, Size], object],
    ) -> None:
        """`usual`: the camera's own, over all its sessions. `resized` is told the size before and the new one."""
        usual.again()
        self._looker = Looker()
        self._health = Health(settings, usual)
        self._changed = changed
        self._resized = resized
        self._picture: ImageHealth | None = None
        self._size: Size | None = None
        self._looked_s: float | None = None
        self._sharpness_s: float | None = None

    def saw(self, bgr: Bgr, at_s: float) -> ImageHealth | None:
        """What is wrong with this picture (uint8 (H, W, 3), not kept); None: nothing. `at_s` never goes back."""
        if self._looked_s is not None and at_s - self._looked_s < LOOK_S:
            return self._picture
        self._looked_s = at_s
        measured = self._sharpness_s is None or at_s - self._sharpness_s >= SHARPNESS_S
        self._sharpness_s = at_s if measured else self._sharpness_s
        look = self._looker.look(bgr, sharpness=measured)
        before = self._health.camera
        self._picture = self._health.saw(look, at_s)
        if self._size is not None and look.size != self._size:
            self._resized(self._size, look.size)
        self._size = look.size
        if self._health.camera != before:
            self._changed(self._health.camera)
        return self._picture
