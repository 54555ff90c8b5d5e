"""Watches the image health of a camera: measures its pictures as they come, and reports changes.

Ingest and workers use it: whoever has the pixels judges them.
"""

from collections.abc import Callable

from andon.messages import ImageHealth
from andon.pictures.health.judgement import HealthJudgement, UsualSharpness
from andon.pictures.health.measurement import PictureMeter
from andon.pictures.picture import Pixels
from andon.settings import HealthSettings

MEASURE_S = 0.03
"""Minimum interval between two measurements: a flood of pictures must not cost more than its pictures."""
SHARPNESS_S = 0.4
"""Minimum interval between sharpness measurements (the most expensive check), and between measurements of JPEGs that
must be decoded first."""
RECODED = 0.2
"""A JPEG whose size differs by this fraction from the last one measured shows something else and is measured at once:
a picture that turns dark or white collapses to a fraction of its bytes."""
Size = tuple[int, int]
"""Width and height in pixels."""


class HealthMonitor:
    """For one session. `changed` and `resized` are called by `saw`, on its thread."""

    def __init__(
        self,
        settings: HealthSettings,
        usual: UsualSharpness,
        changed: Callable[[ImageHealth | None], object],
        resized: Callable[[Size, Size], object],
    ) -> None:
        """`usual` lasts over all sessions of the camera. `resized` gets the size before and the new one."""
        usual.again()
        self.rules = settings.model_dump_json(exclude_defaults=True)
        """The settings, for a worker that decodes the camera's pictures in ingest's place: what differs from the
        defaults, as JSON."""
        self._meter = PictureMeter()
        self._health = HealthJudgement(settings, usual)
        self._changed = changed
        self._resized = resized
        self._picture: ImageHealth | None = None
        self._size: Size | None = None
        self._measured_s: float | None = None
        self._sharpness_s: float | None = None
        self._coded_bytes: int | None = None

    def saw(self, pixels: Callable[[], Pixels], at_s: float, coded_bytes: int | None = None) -> ImageHealth | None:
        """The next picture. Returns what is wrong with it; None: nothing. `at_s` never goes back.

        `pixels` gives uint8 (H, W, 3), not kept, and is called only for a measurement; its exceptions are passed on.
        `coded_bytes`: it must decode a JPEG of this size first, and is therefore called less often.
        """
        if not self._due(at_s, coded_bytes):
            return self._picture
        self._measured_s, self._coded_bytes = at_s, coded_bytes
        bgr = pixels()
        measured = self._sharpness_s is None or at_s - self._sharpness_s >= SHARPNESS_S
        self._sharpness_s = at_s if measured else self._sharpness_s
        measurement = self._meter.measure(bgr, sharpness=measured)
        before = self._health.camera
        self._picture = self._health.saw(measurement, at_s)
        self.sized(measurement.size)
        if self._health.camera != before:
            self._changed(self._health.camera)
        return self._picture

    def sized(self, size: Size) -> None:
        """The next picture's size, of one whose pixels somebody else judges."""
        if self._size is not None and size != self._size:
            self._resized(self._size, size)
        self._size = size

    def _due(self, at_s: float, coded_bytes: int | None) -> bool:
        if self._measured_s is None:
            return True
        since_s = at_s - self._measured_s
        if coded_bytes is None or self._coded_bytes is None:
            return since_s >= MEASURE_S
        recoded = abs(coded_bytes - self._coded_bytes) > RECODED * self._coded_bytes
        return since_s >= (MEASURE_S if recoded else SHARPNESS_S)
