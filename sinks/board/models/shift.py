"""The report on a shift, as the page, the API and `andon report` give it. Shares are from 0 to 1."""

from datetime import date, datetime

from pydantic import BaseModel, ConfigDict


class Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ShiftTime(Model):
    name: str
    day: date
    """The day on which it begins, by the clock of the line."""
    start: datetime
    end: datetime
    until: datetime
    """Up to when the report counts: the end of the shift, or now while it runs."""
    running: bool
    time_zone: str


class PartCounts(Model):
    parts: int
    passed: int
    rejected: int
    unknown: int
    yield_share: float | None
    """Good parts of all parts, the unknown ones included. None: there was no part."""


class HourCounts(PartCounts):
    start: datetime
    end: datetime


class ClassCounts(Model):
    label: str
    severity: str
    """As line.yaml has it now."""
    rejects: int
    """Rejected parts with a defect of this class; a part with two classes counts for both."""
    defects: int
    share: float
    """Of the sum of all classes: of `rejects`, or of `defects` where no part was rejected."""
    cumulative: float


class Downtime(Model):
    start: datetime
    end: datetime
    reason: str
    planned: bool
    """The camera was stopped on purpose."""


class FrameAccount(Model):
    captured: int
    """Frames that came to an end in this time, and those in flight."""
    inspected: int
    unfit: int
    """Of the inspected frames: those whose picture was no basis for a verdict."""
    shed: int
    quarantined: int
    lost: int
    in_flight: int | None
    """Now. None: the shift is over, or several sinks' accounts are behind."""


class CameraReport(Model):
    camera: str
    counts: PartCounts
    defects: int
    account: FrameAccount
    down_s: float
    stopped_s: float
    coverage: float | None
    """The share of the shift that was really inspected. None: the camera was not in use."""
    downtimes: tuple[Downtime, ...]


class ShiftReport(Model):
    line: str
    shift: ShiftTime
    camera: str | None
    """The only camera that it counts. None: all."""
    generated_at: datetime
    target_yield: float | None
    counts: PartCounts
    coverage: float | None
    down_s: float
    """Of all cameras, what was planned left out."""
    account: FrameAccount
    classes: tuple[ClassCounts, ...]
    hours: tuple[HourCounts, ...]
    cameras: tuple[CameraReport, ...]

    @property
    def empty(self) -> bool:
        """Nothing is known of this shift."""
        return not self.cameras
