"""The message of one captured frame: the only one that carries pixels, so its fields are headers of its record."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from andon.message import TRACESTATE, CameraId, Pixels, Seq, Session, TracedMessage, Utc, frame_id, if_like

ClockSource = Literal["camera", "host", "file"]
ImageHealth = Literal["frozen", "dark", "overexposed", "blurred"]
"""Why a camera's pictures are no basis for a verdict, although it delivers them."""
MOST_UNITS = 10_000
"""Access units of one record: a group of pictures at the most."""


def _listed(value: object) -> object:
    """A header holds numbers with commas between them."""
    return value.split(",") if isinstance(value, str) else value


Numbers = Annotated[
    tuple[Annotated[int, Field(gt=0, lt=2**31)], ...],
    BeforeValidator(_listed),
    Field(min_length=1, max_length=MOST_UNITS),
]
_Place = Annotated[int, Field(ge=0, lt=2**31)]
Rectangle = Annotated[tuple[_Place, _Place, Pixels, Pixels], BeforeValidator(_listed)]
"""x, y, width, height."""


class Frame(TracedMessage):
    """One captured picture. `payload` is the encoded picture itself, in the encoding `content_type`: a JPEG or PNG, or
    the camera's own access unit (`video/h264`, `video/h265`) in Annex B."""

    camera_id: CameraId
    session: Session
    seq: Seq
    captured_at: Utc
    clock: ClockSource
    """Whose clock `captured_at` is: the camera's timestamps, the host's at arrival, or the file's own pace."""
    clock_offset_s: float | None = None
    """How far the ingester's host clock was ahead of the broker's, in seconds; `captured_at` is without it. 0: less
    than half a second. None: nobody had measured it, so `captured_at` may be wrong."""
    media_time_s: float | None = None
    """Seconds since the session's first frame on the stream's own timeline. None: the stream has none."""
    width: Pixels
    height: Pixels
    """As the worker publishes it: upright, cropped and shrunk."""
    content_type: str = "image/jpeg"
    payload: bytes = Field(repr=False)
    max_age_s: float | None = Field(default=None, gt=0)
    """The limit of a `freshest` camera: an older frame is shed as `stale` before it is decoded. None: no limit."""
    corrupt: bool = False
    """The camera's decoder reported this picture as corrupt: it is quarantined, never inspected."""
    damage: str | None = Field(default=None, max_length=1000)
    """What the decoder says of a corrupt picture, in one line. None: nothing."""
    too_large: str | None = None
    """Why the picture was left out of the record: its size, and the setting that refuses it. Such a frame has no
    payload, and is also `corrupt`, for workers of earlier versions. None: the picture was not too large."""
    health: ImageHealth | None = None
    """The fault of the whole picture. It is inspected, but never a pass. None: it has none."""
    health_rules: str | None = Field(default=None, max_length=2000)
    """When this camera's pictures are no basis for a verdict: JSON of the `health` settings that differ from the
    defaults, for the worker that decodes it. None: ingest has judged the picture, or nobody is to."""
    part_id: str | None = None
    keyframe: bool = False
    """Of video: a decoder can start with this record, whatever was before."""
    gap: str | None = Field(default=None, max_length=300)
    """Of video: what is missing in this record or before it, as far as ingest knows, in one line. A decoder would make
    it up without a word, so nothing is proven from here to the next keyframe. None: nothing is known to be missing."""
    units: Numbers | None = None
    """Of video: the lengths of the access units that follow one another in the payload. The last one is the frame;
    those before it are decoded for it and are no frames. None: the payload is one."""
    roi: Rectangle | None = None
    """What the worker crops the decoded picture to: x, y, width, height. None: ingest has, or nobody is to."""
    longest_side: int | None = Field(default=None, gt=0)
    """What the worker shrinks the longer side to, after the crop. None: ingest has, or nobody is to."""
    turn: int = Field(default=1, ge=1, le=8)
    """How the worker turns the decoded picture first, as Exif's orientation. 1: it is upright."""
    tracestate: Annotated[str | None, if_like(TRACESTATE)] = Field(default=None, exclude=True, repr=False)
    """Of a traced frame: when it was put into the queue, and later when it left it, in microseconds since 1970."""

    @property
    def frame_id(self) -> str:
        return frame_id(self.camera_id, self.session, self.seq)
