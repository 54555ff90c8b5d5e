"""`andon.alarm.v1` and `andon.alarm-request.v1`, both on the topic of alarms.

One alarm is a camera and a cause. It has the same id for ever, so a button can be wired to it: a second scratch at the
same camera raises the same alarm again, and a flood of scratches is one alarm with a count.
"""

import operator
from datetime import datetime
from typing import Literal, Self

from pydantic import Field, model_validator

from andon.messages import CameraId, Message, Severity, Utc

AlarmKind = Literal["defect", "reject", "blind"]
"""`defect`: defects of one class are in the picture. `reject`: parts are rejected. `blind`: the camera delivers no
picture that is fit for a verdict."""
AlarmState = Literal["normal", "unacknowledged", "acknowledged", "returned", "shelved", "out_of_service"]
"""By ISA-18.2. `returned`: the cause has gone, and nobody has acknowledged the alarm yet."""
AlarmAction = Literal["acknowledge", "shelve", "unshelve", "out_of_service", "return_to_service", "check"]
"""`check`: look whether time alone has changed the camera's alarms. The sinks ask for it by themselves."""
AlarmChange = Literal[
    "raised",
    "changed",
    "returned",
    "acknowledged",
    "shelved",
    "unshelved",
    "shelf_expired",
    "out_of_service",
    "returned_to_service",
]
"""What happened to the alarm. `changed`: its count, its severity or its detail did, and its state did not."""
KINDS: tuple[AlarmKind, ...] = ("defect", "reject", "blind")
MAX_SHELVED_S = 7 * 24 * 3600.0
"""Nobody may hide an alarm for longer than a week at a time: out of service is for that."""
MAX_ALARMS = 100
"""Alarms of one camera that stand at a time, and that one request may name."""
MAX_ALARM_ID = 300
MAX_BY = 100
MAX_NOTE = 500


def alarm_id(camera_id: str, kind: AlarmKind, label: str = "") -> str:
    """`camera/blind`, `camera/reject`, or `camera/defect/CLASS`."""
    return f"{camera_id}/{kind}/{label}" if kind == "defect" else f"{camera_id}/{kind}"


def kind_of(alarm: str, camera_id: str) -> AlarmKind | None:
    """None: it is no alarm's id, or of another camera."""
    camera, _, rest = alarm.partition("/")
    kind, _, label = rest.partition("/")
    found = next((each for each in KINDS if each == kind), None)
    return found if camera == camera_id and bool(label) == (found == "defect") else None


class Alarm(Message):
    """One step in the life of an alarm: as it stands after that step."""

    event_id: str
    alarm_id: str
    camera_id: CameraId
    kind: AlarmKind
    label: str
    """The class of the defects; why the camera is blind (`offline`, `silent`, `frozen`, `dark`, `overexposed`,
    `blurred`); the class of the parts."""
    severity: Severity
    state: AlarmState
    active: bool
    """Its cause is there now."""
    count: int = Field(ge=0, lt=2**53)
    """How often it was raised since it was normal last."""
    change: AlarmChange
    raised_at: Utc
    """When it left the state normal."""
    at: Utc
    source: str = ""
    """The defect or the part that raised it last."""
    detail: str = ""
    by: str = ""
    """Who acted last, as the request said. Empty: nobody has acted since it was raised."""
    note: str = ""
    """What that person wrote."""
    shelved_until: Utc | None = None

    @property
    def needs_operator(self) -> bool:
        """Nobody has acknowledged it, and nobody has put it aside."""
        return self.state in ("unacknowledged", "returned")


class AlarmRequest(Message):
    """A person's request, from a button of a board, of a PLC, or from the command line.

    It may be sent again: the sinks take each `request_id` of a camera once.
    """

    request_id: str = Field(min_length=1, max_length=100)
    camera_id: CameraId
    action: AlarmAction
    alarms: tuple[str, ...] = Field(default=(), max_length=MAX_ALARMS)
    """Their ids. Empty: all alarms of the camera that stand when the sinks take the request."""
    by: str = Field(min_length=1, max_length=MAX_BY)
    at: Utc
    """By the sender's clock. What counts is when Kafka took the request."""
    note: str = Field(default="", max_length=MAX_NOTE, exclude_if=operator.not_)
    for_s: float | None = Field(default=None, gt=0, le=MAX_SHELVED_S, exclude_if=lambda value: value is None)
    """For `shelve`, and for nothing else: seconds until the alarm comes back by itself."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.for_s is not None) != (self.action == "shelve"):
            raise ValueError("for_s belongs to `shelve`, and to no other action")
        for alarm in self.alarms:
            if len(alarm) > MAX_ALARM_ID or kind_of(alarm, self.camera_id) is None:
                raise ValueError(f"{alarm[:60]!r} is no alarm of this camera")
        if "\0" in self.by + self.note + self.request_id + "".join(self.alarms):
            raise ValueError("a zero byte can't be stored")
        return self

    def taken(self, at: datetime) -> "AlarmRequest":
        """The request as the log has it: dated by the moment at which Kafka took it."""
        return self.model_copy(update={"at": at})
