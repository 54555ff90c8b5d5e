"""A folder of images, in the natural order of their names, as if a camera took them at an even pace."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from andon.settings import CameraSettings
from ingest.encode import unchanged
from ingest.sources.folder import pictures_in
from ingest.sources.jpeg_header import passable
from ingest.sources.source import Bgr, DamagedPictureError, Encoded, Picture, SourceError, SourceInfo
from ingest.sources.urls import Address


class ImageSource:
    """The images of one folder, once. A file that can't be read as an image is a corrupt picture, not a missing one."""

    def __init__(self, address: Address, camera: CameraSettings) -> None:
        folder = pictures_in(Path(address.target), address.shown)
        self._paths = folder.pictures
        self._camera = camera
        self._next = 0
        height, width = _size(self._paths)
        self._info = SourceInfo("images", width, height, camera.image_fps, "file", folder.notes)

    @property
    def info(self) -> SourceInfo:
        return self._info

    def read(self) -> Picture | None:
        if self._next >= len(self._paths):
            return None
        pts_s, data = self._next / self._camera.image_fps, _read(self._paths[self._next])
        self._next += 1
        size = passable(data)
        if size is not None and unchanged(self._camera, *size):
            return Picture(pts_s, lambda: _decoded(data), jpeg=Encoded(data, *size))
        pixels = _pixels(data)
        if pixels is None:
            return Picture(pts_s, None, corrupt=True)
        return Picture(pts_s, lambda: pixels)

    def close(self) -> None:
        """Nothing is held open between two pictures."""


def _size(paths: Sequence[Path]) -> tuple[int, int]:
    """(height, width) of the first image that can be read."""
    for path in paths:
        pixels = _pixels(_read(path))
        if pixels is not None:
            return pixels.shape[0], pixels.shape[1]
    raise SourceError(f"{paths[0].parent}: none of its {len(paths)} images can be read")


def _read(path: Path) -> bytes:
    """The file's bytes; empty if it can't be read. Not by cv2.imread: that reports to stderr and not to its caller."""
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _pixels(data: bytes) -> Bgr | None:
    """BGR uint8 (H, W, 3); None: it is no image."""
    try:
        return _bgr(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)) if data else None
    except cv2.error:
        return None


def _decoded(data: bytes) -> Bgr:
    pixels = _pixels(data)
    if pixels is None:
        raise DamagedPictureError
    return pixels


def _bgr(decoded: object) -> Bgr | None:
    return decoded if isinstance(decoded, np.ndarray) else None
