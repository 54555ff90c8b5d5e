"""The interface of every kind of source, and the pictures that it delivers."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

from andon.clock import Clock
from andon.errors import RetryableError
from andon.messages import ClockSource
from andon.pictures.picture import Bgr
from andon.settings import CameraSettings
from ingest.sources.traits import Traits


class SourceError(RetryableError):
    """A camera can't be opened or has stopped delivering. The message is one line and holds no secret."""


class SilentError(SourceError):
    """No picture came within the camera's `read_timeout_s`. A slow camera may only need more time."""


class NoPictureYetError(Exception):
    """The camera is there, but has no picture to show yet. The message says what it waits for: read again."""


class DamagedPictureError(Exception):
    """The bytes that the camera sent for a picture hold none. The message says why."""


@dataclass(frozen=True, slots=True)
class Video:
    """What the record of a camera's own access unit says of it."""

    content_type: str
    keyframe: bool
    """A decoder can start with this record."""
    gap: str | None = None
    """The gap in it or before it; None: none is known."""
    units: tuple[int, ...] | None = None
    """The lengths of the access units in the payload; None: it is one."""
    turn: int = 1
    """How the decoded picture is turned, as Exif's orientation."""


@dataclass(frozen=True, slots=True)
class EncodedPicture:
    """A JPEG or an access unit, and the picture's size in pixels. No payload: there is none of this picture."""

    payload: bytes = field(repr=False)
    width: int
    height: int
    too_large: str | None = None
    """Why it has no payload, if it would be too large: its size and the setting that refuses it."""
    damage: str = ""
    """Why it has none, if the camera's bytes hold no picture, in the decoder's words; empty: it has none."""
    video: Video | None = None
    """Of an access unit; its size is then that of the decoded picture as it lies. None: it is a JPEG."""


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture that a camera delivered."""

    pts_s: float | None
    """The stream's own timestamp: it may start anywhere and jump. None: the stream gives none."""
    bgr: Callable[[], Bgr] | None = field(repr=False)
    """Converts the pixels on demand, so that a picture which is not taken costs nothing; the caller owns the array.
    None: the decoder gave none. With `jpeg` set, this call decodes, and may raise DamagedPictureError."""
    corrupt: bool = False
    """The decoder calls it damaged."""
    damage: str = ""
    """What the decoder says of a corrupt one, in one line; empty: nothing."""
    jpeg: EncodedPicture | None = field(default=None, repr=False)
    """The camera's own bytes, if they are a JPEG and the settings leave the picture as it is."""
    unit: EncodedPicture | None = field(default=None, repr=False)
    """The camera's own access unit, if its stream is passed on. Pictures then come in the order of decoding."""
    decode_s: float | None = None
    """When it is to be decoded, on the timeline of `pts_s`. None: when it is shown."""
    shown: bool = True
    """False: it is no frame, others are made from it."""
    restarts: bool = False
    """No picture behind it is made from one before it."""
    keyframe: bool = False
    """The stream can be joined here."""
    encoded_bytes: int = 0
    """What came for it from the camera. 0: the source does not know."""
    b_frame: bool = False
    """It was made from a later picture, too, so the camera had to hold it back."""


@dataclass(frozen=True, slots=True)
class SourceInfo:
    codec: str
    width: int
    height: int
    """In pixels, of the stream as it was opened."""
    fps: float | None
    """The stream's declared rate; None: it declares none."""
    clock: ClockSource
    """Whose time its pictures carry. `camera` and `file` have `pts_s`, `host` has none."""
    notes: tuple[str, ...] = ()
    """What a person may not expect of these pictures, one line each. No secrets."""
    profile: str | None = None
    """The codec's profile, such as High; None: it has none, or the stream does not say it."""
    traits: Traits | None = None
    """What the stream says of its pixels; None: it says nothing, or has not delivered its first picture yet."""


class FrameSource(Protocol):
    """One open camera. Used by one thread."""

    @property
    def info(self) -> SourceInfo: ...

    def read(self) -> Picture | None:
        """The next picture; None at the end of a file or a stream. Blocks, at most for about the read timeout; before
        the first picture of a stream for up to the keyframe timeout.

        Raises:
            SourceError: the camera is gone, silent, or can't be understood.
        """
        ...

    def close(self) -> None: ...


@runtime_checkable
class JoinedStream(FrameSource, Protocol):
    """A live stream, which may be joined between two keyframes and then take long to its first picture; or a camera
    that is triggered, and may take long to any."""

    def try_read(self) -> Picture | None:
        """As `read`, and returns in between.

        Raises:
            NoPictureYetError: the stream has delivered something, but no picture so far, or nothing has triggered the
                camera: read again.
        """
        ...


def try_read(source: FrameSource) -> Picture | None:
    """The next picture, from a stream as `try_read` there."""
    return source.try_read() if isinstance(source, JoinedStream) else source.read()


def next_picture(source: FrameSource, waits: Callable[[str], object] = lambda _: None) -> Picture | None:
    """The next picture, however long a stream takes to its first one; `waits` hears each time what it waits for.

    Blocks, and raises SourceError, as `source.read` does.
    """
    while True:
        try:
            return try_read(source)
        except NoPictureYetError as error:
            waits(str(error))


OpenSource = Callable[[CameraSettings, Clock], FrameSource]
"""Opens a camera (`ingest.sources.choice.open_source`); raises SourceError."""
