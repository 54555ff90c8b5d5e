"""The consequences of a record: events, verdicts, orders for evidence, spans."""

import hashlib
import operator
import re
from dataclasses import dataclass
from datetime import datetime

from pydantic import Field

from andon.alarms import Alarm
from andon.messages import Defect, Detection, Message, PartVerdict, RecordRef
from sinks.judgement.spans import Span

MAX_NAME = 150
"""Characters of a picture's name, well below the limits of file systems."""


class Thresholds(Message):
    """By which rules a track became a defect."""

    min_confidence: float
    confirm_frames: int
    confirm_window: int


class EvidenceOrder(Message):
    """Store the picture of a defect: a row of the outbox for the channel `evidence`."""

    defect: Defect
    frame: RecordRef
    """The record of `defect.best_frame`."""
    keyframe: RecordRef | None = Field(default=None, exclude_if=operator.not_)
    """The record with which decoding of that frame begins; None: the frame is a picture by itself."""
    path: str
    """Below the evidence URL; derived from the defect's id."""
    shape: Detection | None = Field(default=None, exclude_if=operator.not_)
    """The detection on that frame, if it has more than a box."""
    model: str = Field(default="", exclude_if=operator.not_)
    """sha256 of the model file that inspected that frame."""
    thresholds: Thresholds | None = Field(default=None, exclude_if=operator.not_)


@dataclass(frozen=True, slots=True)
class Judgement:
    """Events and verdicts in the order in which they are to leave, and the pictures to store."""

    events: tuple[Defect, ...] = ()
    orders: tuple[EvidenceOrder, ...] = ()
    verdicts: tuple[PartVerdict, ...] = ()

    def __add__(self, later: "Judgement") -> "Judgement":
        if later is NOTHING:
            return self
        return Judgement(self.events + later.events, self.orders + later.orders, self.verdicts + later.verdicts)


NOTHING = Judgement()


@dataclass(frozen=True, slots=True)
class Consequences:
    """The consequences of one record."""

    fresh: bool = True
    """False: it was accounted for before, and has changed the count of redeliveries only."""
    judgement: Judgement = NOTHING
    spans: tuple[Span, ...] = ()
    alarms: tuple[Alarm, ...] = ()
    captured_twice: bool = False
    """Another ingester had the camera already when the frame was captured."""


def evidence_path(defect_id: str, opened_at: datetime) -> str:
    """camera/date/name.jpg; the name consists of letters, digits, dots, dashes and underscores only."""
    camera_id, rest = defect_id.split("/", 1)
    plain = rest.replace("/", "-")
    name = re.sub(r"[^A-Za-z0-9._-]|^[.]", "_", plain)[:MAX_NAME]
    if name != plain:  # two ids may have the same name now: a digest keeps them apart
        name += "-" + hashlib.sha256(rest.encode()).hexdigest()[:8]
    return f"{camera_id}/{opened_at:%Y-%m-%d}/{name}.jpg"
