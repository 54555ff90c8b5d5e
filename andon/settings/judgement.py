"""Defects and parts: which detections count, and when a verdict is due."""

from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from andon.messages import Severity
from andon.settings.section import Section

Fraction = Annotated[float, Field(ge=0, le=1)]
Line = tuple[tuple[Fraction, Fraction], tuple[Fraction, Fraction]]
"""Two points, each x and y as fractions of the picture's width and height, from its upper left corner."""


def _has_a_direction(line: Line | None) -> Line | None:
    if line is not None and line[0] == line[1]:
        raise ValueError("the two points of a line must differ")
    return line


PartLine = Annotated[Line, AfterValidator(_has_a_direction)]


class CameraPartSettings(Section):
    """Where a camera's parts are judged. A missing value is taken from `parts`."""

    line: PartLine | None = None
    min_frames: int | None = Field(default=None, ge=1)


class PartSettings(Section):
    """Where the model knows a class for the parts, they are followed through the picture and each has one verdict."""

    label: str = Field(alias="class", min_length=1, max_length=200)
    """The model's class for the part itself. It is never a defect."""
    line: PartLine = ((0.75, 0.0), (0.75, 1.0))
    """A part has its verdict when its centre crosses the line through these two points. Put the line as late as
    possible where the part is still whole in the picture: nothing that is visible later changes the verdict."""
    min_frames: int = Field(default=3, ge=1)
    """Inspected frames that must show a part whole before it can pass; with fewer it is `unknown`. 3: what a part gets
    at 240 parts a minute and 15 fps."""
    min_confidence: float = Field(default=0.4, ge=0, le=1)
    """A detection with a lower confidence is no part. Higher than a defect's, because each part gets a verdict."""


class DefectClass(Section):
    severity: Severity = "major"
    min_confidence: float = Field(default=0.25, ge=0, le=1)
    """A detection with a lower confidence is no defect."""


class DefectSettings(Section):
    classes: dict[str, DefectClass] = Field(default={})
    """By the model's class names. A class that is missing here is a defect of severity `major`."""
    ignore: tuple[str, ...] = ()
    """Classes that are no defects (the part itself, a hand)."""
    confirm_frames: int = Field(default=4, ge=1)
    """A track is confirmed as a defect when seen in this many of the last `confirm_window` inspected frames."""
    confirm_window: int = Field(default=8, ge=1)
    """Inspected frames, the last ones, in which `confirm_frames` are counted."""
    close_after_frames: int = Field(default=10, ge=1)
    """Inspected frames without a detection after which the defect has left the picture and is closed."""
    update_confidence: float = Field(default=0.15, gt=0, le=1)
    """An `updated` event follows when the confidence has risen by this much since the last event."""
    max_move: float = Field(default=0.12, gt=0, le=1)
    """The largest distance between a detection and its track's predicted position, as a fraction of the picture's
    diagonal."""

    @model_validator(mode="after")
    def _k_of_n(self) -> Self:
        if self.confirm_frames > self.confirm_window:
            raise ValueError("confirm_frames is above confirm_window")
        return self
