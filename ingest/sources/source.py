"""Where pictures come from: what every kind of source has in common."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from andon.clock import Clock
from andon.errors import RetryableError
from andon.messages import ClockSource
from andon.settings import CameraSettings

Bgr = NDArray[np.uint8]
"""A picture in memory: uint8 (H, W, 3), blue green red."""


class SourceError(RetryableError):
    """A camera can't be opened or has stopped delivering. The message is one line and holds no secret."""


class DamagedPictureError(Exception):
    """The bytes that came for a picture turn out to hold none."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """A JPEG and its size in pixels."""

    payload: bytes
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture that a camera delivered."""

    pts_s: float | None
    """On the stream's own timeline, as the stream says it: it may start anywhere and jump. None: it says nothing."""
    bgr: Callable[[], Bgr] | None = field(repr=False)
    """Converts the pixels, so that a picture which is not taken costs nothing more; the array is the caller's.
    None: the decoder gave none. Raises DamagedPictureError, if it has `jpeg`: only then is that decoded at all."""
    corrupt: bool = False
    """The decoder says that it is damaged."""
    jpeg: Encoded | None = field(default=None, repr=False)
    """The very bytes that the camera sent, where they are a JPEG and its settings ask for no other picture."""


@dataclass(frozen=True, slots=True)
class SourceInfo:
    codec: str
    width: int
    height: int
    """In pixels, of the stream as it was opened."""
    fps: float | None
    """As the stream says; None where it does not."""
    clock: ClockSource
    """Whose time its pictures carry: `camera` and `file` have `pts_s`, `host` has not."""


class FrameSource(Protocol):
    """One open camera. Used by one thread."""

    @property
    def info(self) -> SourceInfo: ...

    def read(self) -> Picture | None:
        """The next picture; None at the end of a file or a stream. Blocks, at most for about the read timeout.

        Raises:
            SourceError: the camera is gone, silent, or can't be understood.
        """
        ...

    def close(self) -> None: ...


OpenSource = Callable[[CameraSettings, Clock], FrameSource]
"""Opens a camera (`ingest.sources.choice.open_source`); raises SourceError."""
