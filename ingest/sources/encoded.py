"""One encoded picture, a file of a folder or a part of an HTTP stream, as a Picture: a JPEG goes on as it is."""

from collections.abc import Callable
from pathlib import Path

from andon.errors import PoisonError
from andon.pictures import reader
from andon.pictures.jpeg_header import passable
from andon.pictures.picture import Bgr
from andon.settings import CameraSettings
from ingest.encode import unchanged
from ingest.sources.source import DamagedPictureError, EncodedPicture, Picture


def picture_of(data: bytes, camera: CameraSettings, pts_s: float | None, folder: Path | None = None) -> Picture:
    """Bytes that can't be read as a picture are a corrupt picture, not a missing one.

    `folder`: where other pictures of the camera lie, if they do.
    """
    size = passable(data)
    if size is not None and unchanged(camera, *size):
        return Picture(pts_s, on_demand(data), jpeg=EncodedPicture(data, *size), encoded_bytes=len(data))
    try:
        pixels = reader.read(data, folder)
    except PoisonError as error:
        return Picture(pts_s, None, corrupt=True, damage=str(error), encoded_bytes=len(data))
    return Picture(pts_s, lambda: pixels, encoded_bytes=len(data))


def on_demand(data: bytes) -> Callable[[], Bgr]:
    """Reads the picture when it is called, as a worker does. Raises DamagedPictureError, with the reason."""

    def read() -> Bgr:
        try:
            return reader.read(data)
        except PoisonError as error:
            raise DamagedPictureError(str(error)) from None

    return read
