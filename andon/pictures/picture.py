"""Decoded pictures, and the limits for encoded ones."""

from dataclasses import dataclass, field
from typing import Any, Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from andon.errors import PoisonError

Bgr = NDArray[np.uint8]
"""uint8 (H, W, 3), blue green red."""
Samples = NDArray[np.uint8] | NDArray[np.uint16]
"""(H, W, 3), blue green red, in the depth of the file."""


class OnCard(Protocol):
    """A torch.Tensor as Bgr, for those who run without torch. It lies in a GPU's memory, or in tests in the host's."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def __getitem__(self, index: Any, /) -> Any: ...

    def cpu(self) -> Any:
        """The same on the host. Blocks until all work on it is done."""
        ...


Pixels = Bgr | OnCard
PixelsT_co = TypeVar("PixelsT_co", bound=Pixels, covariant=True)


def in_known_depth(decoded: NDArray[Any]) -> Samples:
    """The array that OpenCV returned, which has 8 or 16 bits a sample. Raises PoisonError for other types."""
    if decoded.dtype == np.uint8 or decoded.dtype == np.uint16:  # noqa: PLR1714 - mypy narrows neither
        return decoded
    raise PoisonError("undecodable", f"samples of type {decoded.dtype}: save it with 8 or 16 bits a sample")


@dataclass(frozen=True, slots=True)
class PictureLimits:
    max_bytes: int
    max_pixels: int


@dataclass(frozen=True, slots=True)
class PixelLayout:
    """What a picture's header says of how its pixels lie in the file."""

    width: int
    height: int
    orientation: int = 1
    """As Exif's: 1 to 8, see `orientation.upright`."""
    several_scans: bool = False
    """A JPEG whose parts come one after the other: each may be missing."""


@dataclass(frozen=True, slots=True)
class DecodedPicture(Generic[PixelsT_co]):
    """An upright picture. The caller owns the pixels."""

    pixels: PixelsT_co = field(repr=False)
    """At the encoded size, or smaller by one factor in both directions, up to rounding."""
    width: int
    """Of the upright picture at its encoded size, in pixels."""
    height: int
    decode_s: float = 0.0
    """Duration of its decoding."""
