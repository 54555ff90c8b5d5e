"""A folder of images, in the natural order of their names, as if a camera took them at an even pace."""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from andon.errors import PoisonError
from andon.pictures import reader
from andon.settings import CameraSettings
from ingest.sources.encoded import picture_of
from ingest.sources.folder import pictures_in
from ingest.sources.source import Picture, SourceError, SourceInfo
from ingest.sources.urls import Address


class ImageSource:
    """The images of one folder, once. A file that can't be read as an image is a corrupt picture, not a missing one."""

    def __init__(self, address: Address, camera: CameraSettings) -> None:
        folder = pictures_in(Path(address.target), address.shown)
        self._folder = Path(address.target)
        self._paths = folder.pictures
        self._camera = camera
        self._next = 0
        height, width = _size(self._paths)
        self._info = SourceInfo(
            "images", width, height, camera.image_fps, "file", (*folder.notes, *_depth(self._folder))
        )

    @property
    def info(self) -> SourceInfo:
        return self._info

    def read(self) -> Picture | None:
        if self._next >= len(self._paths):
            return None
        pts_s, data = self._next / self._camera.image_fps, _read(self._paths[self._next])
        self._next += 1
        return picture_of(data, self._camera, pts_s, self._folder)

    def close(self) -> None:
        """Nothing is held open between two pictures."""


def _size(paths: Sequence[Path]) -> tuple[int, int]:
    """(height, width) of the first image that can be read."""
    for path in paths:
        with suppress(OSError, PoisonError):
            height, width = reader.read_file(path).shape[:2]
            return height, width
    raise SourceError(f"{paths[0].parent}: none of its {len(paths)} images can be read")


def _depth(folder: Path) -> list[str]:
    bits = reader.depth_in(folder)
    if bits is None or bits == 16:
        return []
    return [f"its pictures of 16 bits a sample use {bits} of them, and are read as pictures of {bits} bits"]


def _read(path: Path) -> bytes:
    """The file's bytes; empty if it can't be read."""
    try:
        return path.read_bytes()
    except OSError:
        return b""
