"""One encoded picture, a file of a folder or a part of an HTTP stream, as a Picture: a JPEG goes on as it is."""

import cv2
import numpy as np

from andon.settings import CameraSettings
from ingest.encode import unchanged
from ingest.sources.jpeg_header import passable
from ingest.sources.source import Bgr, DamagedPictureError, Encoded, Picture


def picture_of(data: bytes, camera: CameraSettings, pts_s: float | None) -> Picture:
    """Bytes that can't be read as a picture are a corrupt picture, not a missing one."""
    size = passable(data)
    if size is not None and unchanged(camera, *size):
        return Picture(pts_s, lambda: _decoded(data), jpeg=Encoded(data, *size))
    found = pixels(data)
    return Picture(pts_s, None, corrupt=True) if found is None else Picture(pts_s, lambda: found)


def pixels(data: bytes) -> Bgr | None:
    """BGR uint8 (H, W, 3); None: it is no image. Not by cv2.imread: that reports to stderr and not to its caller."""
    try:
        return _bgr(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)) if data else None
    except cv2.error:
        return None


def _decoded(data: bytes) -> Bgr:
    found = pixels(data)
    if found is None:
        raise DamagedPictureError
    return found


def _bgr(decoded: object) -> Bgr | None:
    return decoded if isinstance(decoded, np.ndarray) else None
