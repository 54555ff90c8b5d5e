"""Defects and labels, as the API gives and takes them."""

import re
from datetime import datetime
from typing import Annotated, Self

from pydantic import BaseModel, BeforeValidator, Field, model_validator

from andon.messages import Box, Defect, PartVerdict, Severity, Utc
from sinks.board.cursor import Page
from sinks.board.models.query import Query
from sinks.channels.evidence_files import EvidenceFacts
from sinks.store.labels import LabelKind, StoredLabel

Name = Annotated[str, Field(min_length=1, max_length=500, pattern=r"^[^\x00]+$")]
"""PostgreSQL stores no zero bytes."""


def _written(at: object) -> object:
    """Pydantic would take a bare number for seconds since 1970."""
    if isinstance(at, str) and not re.match(r"\d{4}-\d\d-\d\d[T ]", at):
        raise ValueError("write a time as 2026-03-01T06:00:00Z")
    return at


Moment = Annotated[Utc, BeforeValidator(_written)]


class DefectQuery(Query):
    camera: Name | None = None
    label: Name | None = None
    """The class."""
    severity: Severity | None = None
    part: Name | None = None
    """A part's id."""
    start: Moment | None = None
    """Opened at or after it."""
    end: Moment | None = None
    """Opened before it."""
    cursor: str | None = Field(default=None, max_length=2_000)
    limit: int = Field(default=24, ge=1, le=200)


class LabelView(BaseModel):
    id: int
    defect_id: str
    camera_id: str
    kind: LabelKind
    label: str | None
    """The class of what was missed."""
    box: Box | None
    """Around what was missed, in pixels of the untouched picture."""
    author: str
    at: datetime
    withdrawn_at: datetime | None
    withdrawn_by: str | None

    @classmethod
    def of(cls, label: StoredLabel) -> Self:
        new = label.content
        return cls(
            id=label.id,
            defect_id=new.defect_id,
            camera_id=new.camera_id,
            kind=new.kind,
            label=new.label,
            box=new.box,
            author=new.author,
            at=new.at,
            withdrawn_at=label.withdrawn_at,
            withdrawn_by=label.withdrawn_by,
        )


class NewLabelBody(Query):
    defect_id: Name
    kind: LabelKind
    label: Name | None = None
    box: Box | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        """Only what was missed has a class and a box."""
        missed = self.kind == "missed"
        if missed != (self.label is not None) or missed != (self.box is not None):
            raise ValueError("`missed` takes a class and a box, and no other kind takes one")
        if self.box is not None and not (self.box.x1 < self.box.x2 and self.box.y1 < self.box.y2):
            raise ValueError("the box has no area: x1 must be below x2, and y1 below y2")
        return self


class LabelQuery(Query):
    cursor: str | None = Field(default=None, max_length=2_000)
    limit: int = Field(default=100, ge=1, le=1_000)
    since: Moment | None = None


class DefectFiles(BaseModel):
    """Addresses on the board; absent: there is no such file."""

    marked: str | None
    untouched: str | None
    clip: str | None


class DefectDetail(BaseModel):
    defect: Defect
    events: list[Defect]
    """Its life, in order."""
    part: PartVerdict | None
    facts: EvidenceFacts | None
    files: DefectFiles
    expired: bool
    """The frame was gone before its picture could be stored."""
    labels: list[LabelView]


class DefectPage(Page[Defect]):
    pass


class LabelPage(Page[LabelView]):
    pass
