"""BGR uint8 (H, W, 3) -> JPEG: chooses pictures by rate, crops, shrinks and encodes them."""

import cv2

from andon.pictures.picture import Bgr
from andon.settings import CameraSettings
from ingest.sources.source import EncodedPicture, SourceError

JPEG_SIDE_PX = 65_500
"""No JPEG is wider or higher. Source: libjpeg, JPEG_MAX_DIMENSION."""


class FpsLimit:
    """Takes at most `fps` pictures a second, on average (pure)."""

    def __init__(self, fps: float | None) -> None:
        self._interval_s = 1 / fps if fps else 0.0
        self._due_s: float | None = None

    def takes(self, at_s: float) -> bool:
        """Whether to take the picture of this moment. `at_s` never goes back."""
        if self._due_s is None:
            self._due_s = at_s
        # Half an interval early is in time: else a camera's jitter would cost every second picture at its own rate.
        if at_s < self._due_s - self._interval_s / 2:
            return False
        self._due_s = max(self._due_s, at_s - self._interval_s) + self._interval_s
        return True


def unchanged(camera: CameraSettings, width: int, height: int) -> bool:
    """Whether the camera's settings leave a picture of this size as it is."""
    return camera.roi is None and (camera.longest_side is None or max(width, height) <= camera.longest_side)


def encode(bgr: Bgr, camera: CameraSettings) -> EncodedPicture:
    """Crop, shrink and encode. Does not change `bgr`.

    Raises:
        SourceError: the camera's roi lies outside its picture.
    """
    return jpeg(cropped(bgr, camera.roi), camera)


def jpeg(part: Bgr, camera: CameraSettings) -> EncodedPicture:
    """Shrink and encode a picture that is cropped already. No payload: a side is longer than a JPEG's can be."""
    part = _shrunk(part, camera.longest_side)
    height, width = part.shape[:2]
    if max(height, width) > JPEG_SIDE_PX:
        limit = f"a JPEG has at most {JPEG_SIDE_PX} a side: set the camera's longest_side or roi"
        return EncodedPicture(b"", width, height, f"{width}x{height} pixels, {limit}")
    encoded, payload = cv2.imencode(".jpg", part, [cv2.IMWRITE_JPEG_QUALITY, camera.jpeg_quality])
    assert encoded  # OpenCV raises instead on anything that a valid array can cause
    return EncodedPicture(payload.tobytes(), width, height)


def cropped(bgr: Bgr, roi: tuple[int, int, int, int] | None) -> Bgr:
    """The part that is inspected, as a view. Raises SourceError: the roi lies outside the picture."""
    if roi is None:
        return bgr
    x, y, width, height = roi
    rows, columns = bgr.shape[:2]
    if x + width > columns or y + height > rows:
        raise SourceError(f"roi {list(roi)} lies outside the picture of {columns}x{rows}: correct the camera's roi")
    return bgr[y : y + height, x : x + width]


def _shrunk(bgr: Bgr, longest_side: int | None) -> Bgr:
    height, width = bgr.shape[:2]
    if longest_side is None or max(height, width) <= longest_side:
        return bgr
    scale = longest_side / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return cv2.resize(bgr, size, interpolation=cv2.INTER_AREA).astype("uint8", copy=False)
