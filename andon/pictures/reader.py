"""The one reader of encoded pictures: bytes -> BGR pixels, upright, 8 bits a sample.

Ingest, workers, measurements, calibration and training use it, so that a model sees the same pixels everywhere. What
libjpeg-turbo, OpenCV, Pillow and FFmpeg all read alike is a picture; where one of them has to make up pixels it is
damaged, and is an error: a grey lower half shows no scratch. Of an alpha channel the colours are read as they stand.

The size is read from the picture's own header and checked before any allocation: a record's headers say whatever its
producer wrote. A JPEG of at least twice the size that the model needs is decoded at a half, a quarter or an eighth:
libjpeg's smaller transforms cost less, and the model sees the same after shrinking.
"""

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from andon.errors import PoisonError
from andon.pictures import jpeg, png, raster
from andon.pictures.depth import in_8_bits
from andon.pictures.folder_depth import bits_in
from andon.pictures.orientation import on_its_side, upright
from andon.pictures.picture import Bgr, DecodedPicture, PictureLimits, PixelLayout, Samples


class Decoder(NamedTuple):
    layout: Callable[[bytes], PixelLayout]
    read: Callable[[bytes, PixelLayout, int, int], Samples]
    """(payload, layout, least width, least height) -> samples as they lie."""


JPEG = Decoder(jpeg.layout, jpeg.read)
PNG = Decoder(png.layout, png.read)
DECODERS = {"image/jpeg": JPEG, "image/png": PNG}
"""By content type, for records."""
UNLIMITED = PictureLimits(1 << 40, 1 << 30)
"""For a user's own files. OpenCV, too, reads no more than 2^30 pixels."""


def decode(
    payload: bytes, content_type: str, limits: PictureLimits, enough_px: int | None = None
) -> DecodedPicture[Bgr]:
    """A record's picture. Blocks for milliseconds. Safe on several threads at once.

    `enough_px`: the picture may come at a reduced size whose longer side is at least this. None: at its own size.

    Raises PoisonError: `too_large`, before anything is allocated; `undecodable` for everything else.
    """
    if content_type not in DECODERS:
        raise PoisonError("undecodable", f"content type {content_type[:60]!r} has no decoder here")
    if not payload:
        raise PoisonError("undecodable", "the picture is empty")
    if len(payload) > limits.max_bytes:
        raise PoisonError("too_large", f"{len(payload)} bytes, worker.max_frame_bytes is {limits.max_bytes}")
    return _decoded(DECODERS[content_type], payload, limits, enough_px)


def read(data: bytes, folder: Path | None = None) -> Bgr:
    """A file's picture, in whatever format; see `raster` for those besides JPEG and PNG.

    `folder`: where pictures of the same sensor lie. Samples of 16 bits are scaled by the depth that they all have.
    None: by this picture's own. Raises PoisonError: no picture, or a damaged one.
    """
    samples = samples_of(data)
    return in_8_bits(samples, None if samples.itemsize == 1 or folder is None else depth_in(folder))


def read_file(path: Path) -> Bgr:
    """`read` the file, by the depth of its folder. Raises OSError, too."""
    return read(path.read_bytes(), path.parent)


def depth_in(folder: Path) -> int | None:
    """The bits a sample that pictures of more than 8 bits have in this folder; None: there are no such pictures."""
    return bits_in(folder, samples_of)


def samples_of(data: bytes) -> Samples:
    """A file's picture in the depth of the file, upright. Raises PoisonError."""
    if not data:
        raise PoisonError("undecodable", "the picture is empty")
    decoder = JPEG if data[:2] == b"\xff\xd8" else PNG if data[:8] == png.SIGNATURE else None
    if decoder is None:
        return raster.read(data)
    layout = _checked(decoder.layout(data), UNLIMITED)
    return upright(decoder.read(data, layout, layout.width, layout.height), layout.orientation)


def _decoded(decoder: Decoder, payload: bytes, limits: PictureLimits, enough_px: int | None) -> DecodedPicture[Bgr]:
    layout = _checked(decoder.layout(payload), limits)
    width, height = layout.width, layout.height
    factor = _reduction(max(width, height), enough_px)
    samples = decoder.read(payload, layout, -(-width // factor), -(-height // factor))
    if on_its_side(layout.orientation):
        width, height = height, width
    return DecodedPicture(in_8_bits(upright(samples, layout.orientation)), width, height)


def _checked(layout: PixelLayout, limits: PictureLimits) -> PixelLayout:
    width, height = layout.width, layout.height
    if width < 1 or height < 1:
        raise PoisonError("undecodable", f"{width}x{height} pixels")
    if width * height > limits.max_pixels:
        raise PoisonError("too_large", f"{width}x{height} pixels, worker.max_frame_pixels is {limits.max_pixels}")
    return layout


def _reduction(longer_px: int, enough_px: int | None) -> int:
    """Which of libjpeg's cheap factors the picture may shrink by."""
    if enough_px is None:
        return 1
    return next((factor for factor in (8, 4, 2) if longer_px >= factor * enough_px), 1)
