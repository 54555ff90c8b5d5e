"""Image health at work, on the capture thread: looks at pictures as they come, and tells what changes."""

from collections.abc import Callable

from andon.messages import ImageHealth
from andon.settings import HealthSettings
from ingest.health.judgement import HealthJudgement, UsualSharpness
from ingest.health.measurement import PictureMeter
from ingest.sources.source import Bgr

LOOK_S = 0.03
"""What comes faster is not looked at each time: a flood must not cost more than its pictures."""
SHARPNESS_S = 0.4
"""Between two measurements of sharpness, the dearest, and between two looks at what must be decoded for them."""
RECODED = 0.2
"""A JPEG whose size is so much off that of the last one looked at shows something else and is looked at at once: a
picture that turns dark or white collapses to a fraction of its bytes."""
Size = tuple[int, int]
"""Width and height in pixels."""


class HealthMonitor:
    """One session's. `changed` and `resized` are called from the capture thread."""

    def __init__(
        self,
        settings: HealthSettings,
        usual: UsualSharpness,
        changed: Callable[[ImageHealth | None], object],
        resized: Callable[[Size, Size], object],
    ) -> None:
        """`usual`: the camera's own, over all its sessions. `resized` is told the size before and the new one."""
        usual.again()
        self._looker = PictureMeter()
        self._health = HealthJudgement(settings, usual)
        self._changed = changed
        self._resized = resized
        self._picture: ImageHealth | None = None
        self._size: Size | None = None
        self._looked_s: float | None = None
        self._sharpness_s: float | None = None
        self._coded_bytes: int | None = None

    def saw(self, pixels: Callable[[], Bgr], at_s: float, coded_bytes: int | None = None) -> ImageHealth | None:
        """What is wrong with this picture; None: nothing. `at_s` never goes back.

        `pixels` gives uint8 (H, W, 3), not kept, and is called only for a look; what it raises is passed on.
        `coded_bytes`: it decodes them for that, a JPEG of so many bytes, and is therefore called less often.
        """
        if not self._due(at_s, coded_bytes):
            return self._picture
        self._looked_s, self._coded_bytes = at_s, coded_bytes
        bgr = pixels()
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

    def _due(self, at_s: float, coded_bytes: int | None) -> bool:
        if self._looked_s is None:
            return True
        since_s = at_s - self._looked_s
        if coded_bytes is None or self._coded_bytes is None:
            return since_s >= LOOK_S
        recoded = abs(coded_bytes - self._coded_bytes) > RECODED * self._coded_bytes
        return since_s >= (LOOK_S if recoded else SHARPNESS_S)
