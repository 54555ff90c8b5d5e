"""The messages between the stages; `wire` turns them into Kafka records and back.

Every id is derived from the camera, its session and the frame's number, never random: a replay of the same input gives
the same ids.
"""

import json
import operator
from datetime import UTC, datetime
from typing import Annotated, Literal, Self

from pydantic import (
    Field,
    JsonValue,
    field_validator,
    model_validator,
)

from andon.errors import QuarantineReason
from andon.frame import ClockSource, Frame, ImageHealth
from andon.message import HANDED_ON, CameraId, Message, Pixels, Seq, Session, TracedMessage, Utc, frame_id

__all__ = [  # what stands in modules of its own and is imported from here
    "HANDED_ON",
    "CameraId",
    "ClockSource",
    "Frame",
    "ImageHealth",
    "Message",
    "Pixels",
    "Seq",
    "Session",
    "TracedMessage",
    "Utc",
    "frame_id",
]

ShedReason = Literal["mailbox_full", "stale", "backpressure", "spool_full"]
Outcome = Literal["inspected", "shed", "quarantined"]
CameraState = Literal["connecting", "online", "offline", "stopped", "frozen", "dark", "overexposed", "blurred"]
Severity = Literal["minor", "major", "critical"]
Transition = Literal["opened", "updated", "closed"]
PartOutcome = Literal["pass", "reject", "unknown"]
"""The verdict on a part. A part that was not inspected well enough is `unknown`, never a `pass`."""
UnknownReason = Literal["too_few_frames", "unconfirmed_defect", "not_seen_at_line", "vanished", "session_ended"]
"""Why a part is `unknown`: too few of its frames were inspected; a possible defect was neither confirmed nor ruled out;
it was first seen beyond the line; it was last seen before the line; the camera's session ended before it got there."""


def _is_none(value: object) -> bool:
    return value is None


_SESSION = "%Y%m%dT%H%M%S.%fZ"


def new_session(started_at: datetime, tenure: int = 0) -> str:
    """A session's name, made from the moment at which capture started. Names sort by time.

    `tenure`: the ingester's, which grows with each owner of the camera; 0: nobody shares the cameras out.
    """
    return started_at.astimezone(UTC).strftime(_SESSION) + (f".{tenure}" if tenure else "")


def session_began(session: str) -> datetime | None:
    """When the session began, by its ingester's clock. None: the name is of another kind."""
    try:
        return datetime.strptime(session.partition("Z")[0] + "Z", _SESSION).replace(tzinfo=UTC)
    except ValueError:
        return None


def tenure_of(session: str | None) -> int:
    """The tenure in which a session was captured; 0: none, or it is not known."""
    number = (session or "").partition("Z.")[2]
    return int(number) if number.isdecimal() else 0


class ShedRange(Message):
    """A range of frames, both ends included, that ingest gave up."""

    camera_id: CameraId
    session: Session
    first_seq: Seq
    last_seq: Seq
    reason: ShedReason
    at: Utc

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.last_seq < self.first_seq:
            raise ValueError("last_seq is below first_seq")
        return self


class CameraStatus(Message):
    """The camera's state. It is sent on every change and as a heartbeat: every fifth second while frames arrive, which
    prove the same, else every second."""

    camera_id: CameraId
    session: Session | None = None
    """None until the first picture has been captured."""
    state: CameraState
    captured: int = Field(default=0, ge=0, lt=2**53)
    """Frames captured in this session so far. Their sequence numbers are 0 to captured - 1."""
    final: bool = False
    """The session has ended. Each of its frames stands in the log before this record, as a frame or as shed."""
    at: Utc
    fps: float = Field(default=0.0, ge=0)
    detail: str = ""
    """Why the camera is in this state, in one line. Never holds a password."""
    stalled: str = Field(default="", exclude_if=operator.not_)
    """Why the broker has acknowledged no frame of it for longer than `run.stalled_s`. Empty: it has, or the camera was
    stopped."""
    ingester: str = Field(default="", max_length=300, exclude_if=operator.not_)
    """The ingester that captures it: `kafka.member`, or its host and process."""
    tenure: int = Field(default=0, ge=0, lt=2**53, exclude_if=operator.not_)
    """The ingester's tenure, as in the session's name."""


HoleReason = Literal["expired", "log_lost"]
"""Why records are gone: retention took them, or the broker lost the end of its log."""


def _is_expired(reason: object) -> bool:
    return reason == "expired"


class ExpiredRange(Message):
    """Records of the frames topic are gone, which no worker has read to the end; the camera's next record follows.

    Nobody can know whose records these were, so each camera with later records in that partition gets this message.
    """

    camera_id: CameraId
    topic: str
    partition: int = Field(ge=0)
    first_offset: int = Field(ge=0)
    """Both ends included."""
    last_offset: int = Field(ge=0)
    reason: HoleReason = Field(default="expired", exclude_if=_is_expired)
    at: Utc


class Box(Message):
    """An axis-aligned box in pixels of the published frame. The origin is top left; x2 and y2 are exclusive."""

    x1: float
    y1: float
    x2: float
    y2: float


MAX_POLYGON = 64
"""Points of an outline. More points draw no truer line on a screen, and each one travels with every frame."""
MAX_KEYPOINTS = 256
Coordinate = Annotated[float, Field(ge=-(2**32), le=2**32)]
"""In pixels of the published frame. The centre of its top left pixel is at 0.5, 0.5."""
Point = tuple[Coordinate, Coordinate]
"""x and y."""


class Keypoint(Message):
    """One named place on a detected object, from a pose model. A place outside the picture is moved to its edge."""

    name: str | None = Field(default=None, max_length=200, exclude_if=_is_none)
    """None: the model has no names, and the place in the list is the number."""
    x: Coordinate
    y: Coordinate
    confidence: float | None = Field(default=None, ge=0, le=1, exclude_if=_is_none)
    """That the place is there and in sight. None: the model does not say."""


class Detection(Message):
    """One detected object. It has a `box`, and by the model's task at most one of polygon, keypoints and corners.

    Absent fields are not serialized: a plain detection is a label, a confidence and a box.
    """

    label: str
    confidence: float = Field(ge=0, le=1)
    box: Box
    """Around the whole object. For a rotated box: the part of its hull that lies in the picture."""
    polygon: tuple[Point, ...] | None = Field(
        default=None, min_length=3, max_length=MAX_POLYGON, exclude_if=operator.not_
    )
    """Segmentation: the outline, closed from the last point to the first. None: the mask has no area."""
    keypoints: tuple[Keypoint, ...] | None = Field(
        default=None, min_length=1, max_length=MAX_KEYPOINTS, exclude_if=operator.not_
    )
    """Pose: all keypoints of the model, in its order."""
    corners: tuple[Point, Point, Point, Point] | None = Field(default=None, exclude_if=operator.not_)
    """A rotated box: clockwise in the picture, the first edge along the model's width. They may lie outside."""


class RecordRef(Message):
    """A record's place in Kafka."""

    topic: str
    partition: int = Field(ge=0, lt=2**31)
    offset: int = Field(ge=0, lt=2**63)


class Timings(Message):
    """A frame's time in the worker, by step, in seconds."""

    decode_s: float = Field(default=0.0, ge=0)
    wait_s: float = Field(default=0.0, ge=0)
    """The wait in the batcher: until the batch closes and the detector is free."""
    infer_s: float = Field(default=0.0, ge=0)
    """The whole batch's inference."""
    batch_size: int = Field(default=0, ge=0, lt=2**31)


class Inspection(TracedMessage):
    """The outcome of one frame. An `inspected` frame without detections is one on which the model saw nothing."""

    camera_id: CameraId
    session: Session
    seq: Seq
    captured_at: Utc
    clock_offset_s: float | None = Field(default=None, exclude_if=_is_none)
    """As in the frame."""
    media_time_s: float | None = None
    outcome: Outcome
    reason: ShedReason | QuarantineReason | None = None
    """None if and only if the outcome is `inspected`."""
    detections: tuple[Detection, ...] = ()
    width: Pixels
    height: Pixels
    frame: RecordRef
    """The frame's own record: a reader that needs the pixels reads it back."""
    keyframe: RecordRef | None = Field(default=None, exclude_if=_is_none)
    """The record from which on a decoder must read to get the frame of a video. None: the frame is a picture, or no
    decoder gets it."""
    later: tuple[Seq, ...] = Field(default=(), max_length=64, exclude_if=operator.not_)
    """Numbers below this one whose inspections follow: frames that stand before it in the stream, and are shown after
    it."""
    model: str = ""
    """sha256 of the model file that inspected the frame. Empty: none did."""
    runtime: str = ""
    timings: Timings = Timings()
    inspected_at: Utc
    health: ImageHealth | None = None
    """The frame's health. With a value, an empty list of detections proves nothing."""
    part_id: str | None = None

    @model_validator(mode="after")
    def _reasoned(self) -> Self:
        if (self.reason is None) != (self.outcome == "inspected"):
            raise ValueError("a reason belongs to every outcome but `inspected`")
        return self

    @property
    def frame_id(self) -> str:
        return frame_id(self.camera_id, self.session, self.seq)


class Defect(TracedMessage):
    """One step in the life of one real defect. Each step has its own `event_id`, each defect its own `defect_id`."""

    event_id: str
    defect_id: str
    """The first frame's id, the label, and a number among the defects that began on that frame."""
    transition: Transition
    camera_id: CameraId
    session: Session
    label: str
    severity: Severity
    confidence: float = Field(ge=0, le=1)
    """The highest so far."""
    box: Box
    """On `best_frame`."""
    first_frame: str
    best_frame: str
    last_frame: str
    frames: int = Field(gt=0, lt=2**53)
    """The number of frames in which it was detected so far."""
    opened_at: Utc
    """Capture time of the frame that confirmed it."""
    at: Utc
    """Capture time of the frame that caused this event."""
    evidence: str | None = None
    """The address of its picture, which is stored within moments of `opened`."""
    part_id: str | None = None


class PartDefect(Message):
    """One confirmed defect of a part."""

    defect_id: str
    label: str
    severity: Severity
    confidence: float = Field(ge=0, le=1)
    """The highest so far."""
    x: float
    y: float
    """Its centre on the part: 0, 0 is the upper left corner of the part's box, and 1, 1 the lower right one."""
    box: Box
    """On `best_frame`, in pixels."""
    best_frame: str
    evidence: str | None = None


class PartVerdict(TracedMessage):
    """The one verdict on one part. It falls when the part crosses the line, or when it can no longer cross it."""

    event_id: str
    part_id: str
    """The first frame that shows the part, and a number among the parts that began on that frame."""
    verdict: PartOutcome
    reason: UnknownReason | None = None
    """None if and only if the verdict is not `unknown`."""
    camera_id: CameraId
    session: Session
    label: str
    """The model's class for parts."""
    defects: tuple[PartDefect, ...] = ()
    first_frame: str
    last_frame: str
    """The last frame before the verdict that shows the part."""
    frames: int = Field(ge=0, lt=2**53)
    """The number of inspected frames before the verdict that show the part whole."""
    crossed_at: Utc | None = None
    """When its centre crossed the line, interpolated between two frames. None: nobody saw it cross."""
    at: Utc
    """Capture time of the frame that decided the verdict."""

    @model_validator(mode="after")
    def _reasoned(self) -> Self:
        if (self.reason is None) != (self.verdict != "unknown"):
            raise ValueError("a reason belongs to `unknown`, and to no other verdict")
        return self


class CameraConfig(Message):
    """A camera of the line, in the compacted topic `andon.cameras`."""

    camera_id: CameraId
    settings: dict[str, JsonValue] | None
    """The camera's section of line.yaml without its `id`: what is set, as it is written there. Secrets stand in it as
    references (`${VAR}`, `${file:PATH}`), never as such. None: the camera is removed; the topic has
    a record without a value in its place."""
    at: Utc
    origin: str = Field(default="", exclude_if=operator.not_)
    """The line.yaml that names the camera. Empty: `andon camera add` did."""
    written: str = Field(default="", exclude_if=operator.not_)
    """The digest of the section in that line.yaml: while it stays the same, what `andon camera set` has changed since
    then stays, too."""

    @field_validator("settings")
    @classmethod
    def _finite(cls, settings: dict[str, JsonValue] | None) -> dict[str, JsonValue] | None:
        """JSON has no other numbers; a number that Python's reader takes for infinite would come back as null."""
        json.dumps(settings, allow_nan=False)
        return settings
