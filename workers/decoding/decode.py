"""Encoded picture -> BGR pixels, by the decoder of its content type, within limits checked before any allocation.

The size is read from the picture's own header: the record's headers say whatever its producer wrote. A damaged picture
is an error and is never repaired: a grey lower half shows no scratch. A JPEG of at least twice the size that the model
needs is decoded at a half, a quarter or an eighth: libjpeg's smaller transforms cost less, and the model sees the same
after shrinking.
"""

from collections.abc import Callable
from dataclasses import dataclass

from andon.errors import PoisonError
from workers.decoding import jpeg, png
from workers.detector import Picture

Size = Callable[[bytes], tuple[int, int]]
Read = Callable[[bytes, int, int], Picture]
DECODERS: dict[str, tuple[Size, Read]] = {
    "image/jpeg": (jpeg.size, jpeg.read),
    "image/png": (png.size, png.read),
}
"""By content type."""


@dataclass(frozen=True, slots=True)
class PictureLimits:
    max_bytes: int
    max_pixels: int


@dataclass(frozen=True, slots=True)
class DecodedPicture:
    """The caller owns the pixels."""

    pixels: Picture
    """At the encoded size, or smaller by one factor in both directions, up to rounding."""
    width: int
    """Of the picture as it was encoded, in pixels."""
    height: int
    decode_s: float = 0.0
    """Duration of its decoding."""


def decode(payload: bytes, content_type: str, limits: PictureLimits, enough_px: int | None = None) -> DecodedPicture:
    """Blocks for milliseconds. Safe on several threads at once.

    `enough_px`: the picture may come at a reduced size whose longer side is at least this. None: at its own size.

    Raises PoisonError: `too_large`, before anything is allocated; `undecodable` for everything else.
    """
    if content_type not in DECODERS:
        raise PoisonError("undecodable", f"content type {content_type[:60]!r} has no decoder here")
    if not payload:
        raise PoisonError("undecodable", "the picture is empty")
    if len(payload) > limits.max_bytes:
        raise PoisonError("too_large", f"{len(payload)} bytes, worker.max_frame_bytes is {limits.max_bytes}")
    size, read = DECODERS[content_type]
    width, height = size(payload)
    if width < 1 or height < 1:
        raise PoisonError("undecodable", f"{width}x{height} pixels")
    if width * height > limits.max_pixels:
        raise PoisonError("too_large", f"{width}x{height} pixels, worker.max_frame_pixels is {limits.max_pixels}")
    factor = _reduction(max(width, height), enough_px)
    return DecodedPicture(read(payload, -(-width // factor), -(-height // factor)), width, height)


def _reduction(longer_px: int, enough_px: int | None) -> int:
    """Which of libjpeg's cheap factors the picture may shrink by."""
    if enough_px is None:
        return 1
    return next((factor for factor in (8, 4, 2) if longer_px >= factor * enough_px), 1)
