"""Which detections of a frame count as defects and parts, and when a defect is real: the settings of judgement."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from andon.messages import Box, Detection, Inspection, Severity
from andon.settings import CameraPartSettings, DefectClass, DefectSettings, PartSettings
from sinks.judgement.consequences import Thresholds
from sinks.judgement.geometry import area, intersection
from sinks.judgement.rhythm import SilenceRule

Verdict = Literal["pass", "fail", "unknown"]
"""On a frame. `fail`: a defect class was detected. `unknown`: not inspected, or the picture was frozen, dark,
over-exposed or blurred. No result is never a pass."""
MAX_LABEL = 200
"""Characters of a class's name; a database's index limits its keys."""
SAME_THING = 0.7
"""Two boxes of one class are one thing detected twice if this share of the smaller one lies in the other."""
PATIENCE = 2
"""A part is forgotten after this multiple of `defects.close_after_frames`: a part that stands on the line must keep its
identity while the model misses it."""
NAMELESS = DefectClass()
"""The settings of a class that line.yaml does not name."""


@dataclass(frozen=True, slots=True)
class FrameView:
    """An inspection, and its detections that count: possible, sure enough, one for each thing, the surest first."""

    inspection: Inspection
    defects: Sequence[Detection]
    parts: Sequence[Detection] = ()
    """Empty if parts are not followed."""

    @property
    def verdict(self) -> Verdict:
        if self.inspection.outcome != "inspected" or self.inspection.health is not None:
            return "unknown"
        return "fail" if self.defects else "pass"

    @property
    def shows_anything(self) -> bool:
        """Whether the frame says anything about defects and parts.

        A detection on a dark or blurred picture counts, since missing it would be worse; an absence there does not. A
        frozen picture repeats an earlier frame.
        """
        health = self.inspection.health
        return health is None or (health != "frozen" and bool(self.defects or self.parts))

    @property
    def shows_defects(self) -> bool:
        """Whether the frame says anything about defects, their absence included."""
        return self.inspection.health is None or bool(self.defects)


@dataclass(frozen=True, slots=True)
class DefectRules:
    """`evidence_url` is the folder below which pictures are stored."""

    settings: DefectSettings
    evidence_url: str
    part: str | None = None
    """The class of the part itself, if parts are followed: never a defect."""

    def counts(self, detection: Detection) -> bool:
        """Whether the detection is a defect's and sure enough."""
        label = detection.label
        if label == self.part or label in self.settings.ignore:
            return False
        return detection.confidence >= self.settings.classes.get(label, NAMELESS).min_confidence

    def severity(self, label: str) -> Severity:
        return self.settings.classes.get(label, NAMELESS).severity

    def thresholds(self, label: str) -> Thresholds:
        return Thresholds(
            min_confidence=self.settings.classes.get(label, NAMELESS).min_confidence,
            confirm_frames=self.settings.confirm_frames,
            confirm_window=self.settings.confirm_window,
        )

    def confirm(self, window: int) -> bool:
        """`window`: a bit for each of the last frames, 1 where the track was seen."""
        return window.bit_count() >= self.settings.confirm_frames


@dataclass(frozen=True, slots=True)
class CameraPartRules:
    """How one camera judges parts. `line`: two points in fractions of the picture."""

    line: tuple[tuple[float, float], tuple[float, float]]
    min_frames: int
    forget_after: int
    """A part is gone after this number of frames without it."""
    start: int
    """A part that first shows up within this number of frames may have been there before the session."""


@dataclass(frozen=True, slots=True)
class PartRules:
    """The section `parts` of line.yaml, and the cameras' own settings for parts."""

    settings: PartSettings
    defects: DefectSettings
    cameras: Mapping[str, CameraPartSettings]

    def of(self, camera_id: str) -> CameraPartRules:
        own = self.cameras.get(camera_id, CameraPartSettings())
        return CameraPartRules(
            line=self.settings.line if own.line is None else own.line,
            min_frames=self.settings.min_frames if own.min_frames is None else own.min_frames,
            forget_after=PATIENCE * self.defects.close_after_frames,
            start=self.defects.confirm_window,
        )


@dataclass(frozen=True, slots=True)
class JudgementRules:
    """The settings on which judgement depends."""

    defects: DefectRules
    silence_s: float
    """`sinks.silence_s`."""
    parts: PartRules | None = None
    """None: parts are not followed."""
    own_silence_s: Mapping[str, float] = field(default_factory=dict)
    """`silence_s` of the cameras that have one of their own."""

    unheard_s: float = 30.0
    """`run.stalled_s`: a camera is blind if nothing at all is heard of it for longer."""

    def silence(self, camera_id: str) -> SilenceRule:
        return SilenceRule(self.silence_s, self.own_silence_s.get(camera_id))

    def view(self, inspection: Inspection) -> FrameView:
        """The inspection with its detections that count. Computed once for each inspection."""
        found = [item for item in inspection.detections if _possible(item, inspection)]
        if not found:
            return FrameView(inspection, ())
        defects = _without_duplicates([item for item in found if self.defects.counts(item)])
        return FrameView(inspection, defects, _without_duplicates(self._parts(found)))

    def _parts(self, detections: Sequence[Detection]) -> Sequence[Detection]:
        if self.parts is None:
            return ()
        label, least = self.defects.part, self.parts.settings.min_confidence
        return [item for item in detections if item.label == label and item.confidence >= least]


def _possible(detection: Detection, inspection: Inspection) -> bool:
    """Whether a model can have detected it: a box with an area, near the picture, and a label that can be stored."""
    box, width, height = detection.box, inspection.width, inspection.height
    near = -width <= box.x1 < box.x2 <= 2 * width and -height <= box.y1 < box.y2 <= 2 * height
    label = detection.label
    return near and 0 < len(label) <= MAX_LABEL and "\0" not in label


def _without_duplicates(detections: Sequence[Detection]) -> Sequence[Detection]:
    """The surest first, without the less sure of two boxes of one class on the same thing."""
    if len(detections) < 2:
        return detections
    kept: list[Detection] = []
    for item in sorted(detections, key=lambda item: -item.confidence):
        if all(item.label != other.label or not _same_thing(item.box, other.box) for other in kept):
            kept.append(item)
    return kept


def _same_thing(one: Box, other: Box) -> bool:
    shared = intersection(one, other)
    return shared > 0 and shared >= SAME_THING * min(area(one), area(other))
