"""A folder of images, in the order of their names, as if a camera had taken them at an even pace."""

from pathlib import Path

import cv2
import numpy as np

from ingest.source import Bgr, Picture, SourceInfo
from ingest.urls import Address, SourceError

SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})


class ImageSource:
    """The images of one folder, once. What can't be read as an image is a corrupt picture, not a missing one."""

    def __init__(self, address: Address, fps: float) -> None:
        self._paths = _images(Path(address.target), address.shown)
        self._fps = fps
        self._next = 0
        height, width = _size(self._paths)
        self._info = SourceInfo("images", width, height, fps, "file")

    @property
    def info(self) -> SourceInfo:
        return self._info

    def read(self) -> Picture | None:
        if self._next >= len(self._paths):
            return None
        pts_s = self._next / self._fps
        pixels = _pixels(self._paths[self._next])
        self._next += 1
        if pixels is None:
            return Picture(pts_s, None, corrupt=True)
        return Picture(pts_s, lambda: pixels)

    def close(self) -> None:
        """Nothing is held open between two pictures."""


def _images(folder: Path, shown: str) -> list[Path]:
    try:
        paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in SUFFIXES and path.is_file())
    except OSError as error:
        raise SourceError(f"{shown}: {error.strerror}") from None
    if not paths:
        raise SourceError(f"{shown}: no images in this folder ({', '.join(sorted(SUFFIXES))})")
    return paths


def _size(paths: list[Path]) -> tuple[int, int]:
    """(height, width) of the first image that can be read."""
    for path in paths:
        pixels = _pixels(path)
        if pixels is not None:
            return pixels.shape[0], pixels.shape[1]
    raise SourceError(f"{paths[0].parent}: none of its {len(paths)} images can be read")


def _pixels(path: Path) -> Bgr | None:
    """BGR uint8 (H, W, 3); None where it is no image. Read here, because cv2.imread tells stderr and not its caller."""
    try:
        data = np.frombuffer(path.read_bytes(), np.uint8)
        return _bgr(cv2.imdecode(data, cv2.IMREAD_COLOR)) if data.size else None
    except (OSError, cv2.error):
        return None


def _bgr(decoded: object) -> Bgr | None:
    return decoded if isinstance(decoded, np.ndarray) else None
