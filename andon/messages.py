"""What travels between the stages; `wire` turns these into Kafka records and back.

Every id is derived from the camera, its session and the frame's number, never random: the same input replayed gives
the same ids.
"""

import operator
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from andon.errors import QuarantineReason

ShedReason = Literal["mailbox_full", "stale", "backpressure", "spool_full"]
Outcome = Literal["inspected", "shed", "quarantined"]
ClockSource = Literal["camera", "host", "file"]
ImageHealth = Literal["frozen", "dark", "overexposed", "blurred"]
"""What makes a camera's pictures no basis for a verdict, though it delivers them."""
CameraState = Literal["connecting", "online", "offline", "stopped", "frozen", "dark", "overexposed", "blurred"]
Severity = Literal["minor", "major", "critical"]
Transition = Literal["opened", "updated", "closed"]
PartOutcome = Literal["pass", "reject", "unknown"]
"""What is said of a part. No result is never a pass: what was not looked at well enough is `unknown`."""
UnknownReason = Literal["too_few_frames", "unconfirmed_defect", "not_seen_at_line", "vanished", "session_ended"]
"""Why a part is `unknown`: too few of its frames were inspected; what may be a defect was neither confirmed nor ruled
out; it was first seen beyond the line; it was last seen before the line; the camera's session ended before it got
there."""


def _to_utc(at: datetime) -> datetime:
    try:
        return at.astimezone(UTC)
    except OverflowError:  # of the first or last hours that a calendar has, elsewhere
        raise ValueError("out of range in UTC") from None


Utc = Annotated[AwareDatetime, AfterValidator(_to_utc)]
CameraId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")]
Session = Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,40}$")]
Seq = Annotated[int, Field(ge=0, lt=2**32)]
"""32 bits because the ledger keeps them in 32-bit roaring bitmaps: 4.5 years of one session at 30 fps."""
Pixels = Annotated[int, Field(gt=0, lt=2**31)]


def _is_none(value: object) -> bool:
    return value is None


class Message(BaseModel):
    """Writers are strict: an unknown field is an error. Readers ignore it (`read`, `read_json`): a newer writer may add
    fields within a version."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @classmethod
    def read(cls, fields: Mapping[str, object]) -> Self:
        """The message with these fields. Raises ValidationError."""
        return cls.model_validate(fields, extra="ignore")

    @classmethod
    def read_json(cls, value: bytes) -> Self:
        """The message that `value` holds. Raises ValidationError."""
        return cls.model_validate_json(value, extra="ignore")


def frame_id(camera_id: str, session: str, seq: int) -> str:
    """The frame's identity, `camera/session/seq`."""
    return f"{camera_id}/{session}/{seq}"


def new_session(started_at: datetime) -> str:
    """A session's name from the moment at which capture started; sorts by time."""
    return started_at.astimezone(UTC).strftime("%Y%m%dT%H%M%S.%fZ")


class Frame(Message):
    """One captured picture. `payload` is the encoded picture itself, as `content_type` says."""

    camera_id: CameraId
    session: Session
    seq: Seq
    captured_at: Utc
    clock: ClockSource
    """Whose clock `captured_at` is: the camera's timestamps, the host's at arrival, or the file's own pace."""
    media_time_s: float | None = None
    """Seconds since the session's first frame on the stream's own timeline, where it has one."""
    width: Pixels
    height: Pixels
    content_type: str = "image/jpeg"
    payload: bytes = Field(repr=False)
    max_age_s: float | None = Field(default=None, gt=0)
    """A `freshest` camera's limit: an older frame is shed as `stale` before it is decoded. None: never."""
    corrupt: bool = False
    """The camera's decoder called this picture corrupt: it is quarantined, never inspected."""
    health: ImageHealth | None = None
    """What is wrong with the picture as a whole: it is inspected, and never a pass. None: nothing."""
    part_id: str | None = None

    @property
    def frame_id(self) -> str:
        return frame_id(self.camera_id, self.session, self.seq)


class Shed(Message):
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
    """The camera's state: sent on every change, and as a heartbeat: each second in which its frames do not say the
    same, else every fifth."""

    camera_id: CameraId
    session: Session | None = None
    """None until the first picture has been captured."""
    state: CameraState
    captured: int = Field(default=0, ge=0, lt=2**53)
    """Frames captured in this session so far: sequence numbers 0 to captured - 1."""
    final: bool = False
    """The session has ended and every one of its frames stands in the log before this record, as a frame or as shed."""
    at: Utc
    fps: float = Field(default=0.0, ge=0)
    detail: str = ""
    """One line: why the camera is in this state. Never holds a password."""


class Expired(Message):
    """Records of the frames topic expired before a worker read them; the camera's next record follows.

    Whose they were nobody can know: each camera whose records follow in that partition is told.
    """

    camera_id: CameraId
    topic: str
    partition: int = Field(ge=0)
    first_offset: int = Field(ge=0)
    """Both ends included."""
    last_offset: int = Field(ge=0)
    at: Utc


class Box(Message):
    """Axis-aligned, in pixels of the published frame, origin top left; x2 and y2 are exclusive."""

    x1: float
    y1: float
    x2: float
    y2: float


MAX_POLYGON = 64
"""Points of an outline: more than that draws no truer line on a screen, and each travels with every frame."""
MAX_KEYPOINTS = 256
Coordinate = Annotated[float, Field(ge=-(2**32), le=2**32)]
"""In pixels of the published frame: the centre of its top left pixel is at 0.5, 0.5."""
Point = tuple[Coordinate, Coordinate]
"""x and y."""


class Keypoint(Message):
    """One named place on what was found, as a pose model sees it; inside the picture, at its edge if beyond it."""

    name: str | None = Field(default=None, max_length=200, exclude_if=_is_none)
    """None where the model has no names: its place in the list is its number."""
    x: Coordinate
    y: Coordinate
    confidence: float | None = Field(default=None, ge=0, le=1, exclude_if=_is_none)
    """That it is there and in sight; None where the model doesn't say."""


class Detection(Message):
    """One thing that a model saw. `box` is always there; at most one of the other three is, by the model's task.

    What is absent is not serialized: of a model that only detects, a detection is a label, a confidence and a box.
    """

    label: str
    confidence: float = Field(ge=0, le=1)
    box: Box
    """Around the whole of it; of a rotated box, the part of its hull that lies in the picture."""
    polygon: tuple[Point, ...] | None = Field(
        default=None, min_length=3, max_length=MAX_POLYGON, exclude_if=operator.not_
    )
    """Segmentation: the outline, closed from the last point to the first. None where the mask has no area."""
    keypoints: tuple[Keypoint, ...] | None = Field(
        default=None, min_length=1, max_length=MAX_KEYPOINTS, exclude_if=operator.not_
    )
    """Pose: all that the model knows, in its order."""
    corners: tuple[Point, Point, Point, Point] | None = Field(default=None, exclude_if=operator.not_)
    """A rotated box: clockwise on the picture, the first edge along the model's width. They may lie outside it."""


class RecordRef(Message):
    """Where in Kafka a record lies."""

    topic: str
    partition: int = Field(ge=0, lt=2**31)
    offset: int = Field(ge=0, lt=2**63)


class Timings(Message):
    """Where a frame's time went in the worker, in seconds."""

    decode_s: float = Field(default=0.0, ge=0)
    wait_s: float = Field(default=0.0, ge=0)
    """In the batcher, waiting for its batch to close and for the detector to be free."""
    infer_s: float = Field(default=0.0, ge=0)
    """The whole batch's inference."""
    batch_size: int = Field(default=0, ge=0, lt=2**31)


class Inspection(Message):
    """What became of one frame. No detections on an `inspected` frame means that the model saw nothing."""

    camera_id: CameraId
    session: Session
    seq: Seq
    captured_at: Utc
    media_time_s: float | None = None
    outcome: Outcome
    reason: ShedReason | QuarantineReason | None = None
    """None if and only if the outcome is `inspected`."""
    detections: tuple[Detection, ...] = ()
    width: Pixels
    height: Pixels
    frame: RecordRef
    """The frame's own record, so that whoever needs the pixels can read it back."""
    model: str = ""
    """sha256 of the model file that inspected it; empty if none did."""
    runtime: str = ""
    timings: Timings = Timings()
    inspected_at: Utc
    health: ImageHealth | None = None
    """The frame's: with one, seeing nothing on it says nothing."""
    part_id: str | None = None

    @model_validator(mode="after")
    def _reasoned(self) -> Self:
        if (self.reason is None) != (self.outcome == "inspected"):
            raise ValueError("a reason stands with every outcome but `inspected`")
        return self

    @property
    def frame_id(self) -> str:
        return frame_id(self.camera_id, self.session, self.seq)


class Defect(Message):
    """One step in the life of one real defect. `event_id` is unique for each step, `defect_id` for each defect."""

    event_id: str
    defect_id: str
    """The first frame's id, the label, and a number among those that began on that frame."""
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
    """How many frames it was detected in so far."""
    opened_at: Utc
    """Capture time of the frame that confirmed it."""
    at: Utc
    """Capture time of the frame that caused this event."""
    evidence: str | None = None
    """Where its picture is stored (or will be within moments of `opened`)."""
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
    """Its centre on the part: 0, 0 is the upper left corner of the part's box, 1, 1 the lower right one."""
    box: Box
    """On `best_frame`, in pixels."""
    best_frame: str
    evidence: str | None = None


class PartVerdict(Message):
    """The one verdict on one part, given when it crosses the line, or when it can't cross it any more."""

    event_id: str
    part_id: str
    """The first frame that shows it, and a number among those that began on that frame."""
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
    """The last one that shows it, up to the verdict."""
    frames: int = Field(ge=0, lt=2**53)
    """How many inspected frames showed it whole, up to the verdict."""
    crossed_at: Utc | None = None
    """When its centre crossed the line, between two frames; None: it was not seen to."""
    at: Utc
    """Capture time of the frame that decided."""

    @model_validator(mode="after")
    def _reasoned(self) -> Self:
        if (self.reason is None) != (self.verdict != "unknown"):
            raise ValueError("a reason stands with `unknown`, and with no other verdict")
        return self


class CameraConfig(Message):
    """That a camera exists (compacted topic). `settings` is its section of line.yaml."""

    camera_id: CameraId
    settings: dict[str, str | int | float | bool | list[int] | None] | None
    """None takes the camera away."""
    at: Utc
