"""Tracks -> defect events: one `opened` for each real defect, however many frames show it. Pure; one page.

A track that was seen in K of the last N inspected frames is a defect; it is closed when it has not been seen for long
enough, or when its session is over. Ids derive from the frames, so the same frames replayed give the same events.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from andon.messages import Box, Defect, Detection, Inspection, PartVerdict, RecordRef, Severity, Transition
from andon.settings import DefectClass, DefectSettings
from sinks.judgement.evidence import EvidenceOrder, evidence_path
from sinks.judgement.tracker import Match

NO_OWNERS: Mapping[str, str] = {}

MAX_LABEL = 200
"""Characters of a class's name; a database's index takes no endless ones."""


@dataclass(slots=True)
class DefectHistory:
    """What is known of one track, from its first frame on. `opened_at` is None until it is confirmed."""

    defect_id: str
    session: str
    label: str
    first_frame: str
    best_frame: str
    best_ref: RecordRef
    best_box: Box
    confidence: float
    """On `best_frame`."""
    last_frame: str
    last_at: datetime
    frames: int
    part_id: str | None
    opened_at: datetime | None = None
    evidence: str | None = None
    told_confidence: float = 0.0
    """In the last event."""
    updates: int = 0
    best_shape: Detection | None = None
    """On `best_frame`, where the model saw more than a box."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What follows from one frame (or from a session's end)."""

    events: tuple[Defect, ...] = ()
    orders: tuple[EvidenceOrder, ...] = ()
    verdicts: tuple[PartVerdict, ...] = ()

    def __add__(self, later: "Judgement") -> "Judgement":
        return Judgement(self.events + later.events, self.orders + later.orders, self.verdicts + later.verdicts)


@dataclass(frozen=True, slots=True)
class DefectRules:
    """What is a defect, and when. `evidence_url` is the folder below which pictures are stored."""

    settings: DefectSettings
    evidence_url: str
    part: str | None = None
    """The class of the part itself, where parts are followed: never a defect."""

    def counted(self, inspection: Inspection) -> tuple[Detection, ...]:
        """The detections that are defects', and sure enough."""
        return tuple(item for item in inspection.detections if self._counts(item) and _possible(item, inspection))

    def _counts(self, detection: Detection) -> bool:
        named = self.settings.classes.get(detection.label, DefectClass())
        ignored = detection.label == self.part or detection.label in self.settings.ignore
        return not ignored and detection.confidence >= named.min_confidence

    def parts(self, inspection: Inspection, min_confidence: float) -> tuple[Detection, ...]:
        """The detections that are parts, and sure enough."""
        found = [item for item in inspection.detections if item.label == self.part]
        return tuple(item for item in found if item.confidence >= min_confidence and _possible(item, inspection))

    def severity(self, label: str) -> Severity:
        return self.settings.classes.get(label, DefectClass()).severity

    def confirms(self, window: int) -> bool:
        return window.bit_count() >= self.settings.confirm_frames


def judge(
    cases: dict[str, DefectHistory],
    matches: list[Match],
    inspection: Inspection,
    rules: DefectRules,
    owners: Mapping[str, str] = NO_OWNERS,
) -> Judgement:
    """What these tracks on this frame change. `cases`, by track, is brought up to date in place.

    `owners`: by track, the part that it is on, where parts are followed.
    """
    events: list[Defect] = []
    orders: list[EvidenceOrder] = []
    for match in matches:
        track = match.track
        if match.detection is not None:
            _see(cases, track.track_id, match.detection, inspection)
        case = cases[track.track_id]
        case.part_id = owners.get(track.track_id, case.part_id)
        if case.opened_at is None and rules.confirms(track.window):
            opened = confirmed(case, inspection.captured_at, rules)
            events += opened.events
            orders += opened.orders
        elif case.opened_at is not None and _risen(case, rules):
            case.updates += 1
            events.append(_event(case, "updated", inspection.captured_at, rules))
        if match.gone:
            events += _close(cases.pop(track.track_id), inspection.captured_at, rules)
    return Judgement(tuple(events), tuple(orders))


def confirmed(case: DefectHistory, at: datetime, rules: DefectRules) -> Judgement:
    """It is a defect, since the frame that was captured at `at`."""
    case.opened_at = at
    path = evidence_path(case.defect_id, at)
    case.evidence = f"{rules.evidence_url.rstrip('/')}/{path}"
    opened = _event(case, "opened", at, rules)
    return Judgement((opened,), (EvidenceOrder(defect=opened, frame=case.best_ref, path=path, shape=case.best_shape),))


def close_all(cases: dict[str, DefectHistory], rules: DefectRules) -> Judgement:
    """The session is over: whatever is open closes with the last frame that showed it."""
    events = [event for case in cases.values() for event in _close(case, case.last_at, rules)]
    cases.clear()
    return Judgement(tuple(events))


def _possible(detection: Detection, inspection: Inspection) -> bool:
    """Whether a model can have seen it: a box with an area, not far off the picture, and a label to be stored."""
    box, width, height = detection.box, inspection.width, inspection.height
    near = -width <= box.x1 < box.x2 <= 2 * width and -height <= box.y1 < box.y2 <= 2 * height
    label = detection.label
    return near and 0 < len(label) <= MAX_LABEL and "\0" not in label


def _see(cases: dict[str, DefectHistory], track_id: str, detection: Detection, inspection: Inspection) -> None:
    frame = inspection.frame_id
    case = cases.get(track_id)
    if case is None:
        cases[track_id] = DefectHistory(
            defect_id=track_id,
            session=inspection.session,
            label=detection.label,
            first_frame=frame,
            best_frame=frame,
            best_ref=inspection.frame,
            best_box=detection.box,
            confidence=detection.confidence,
            last_frame=frame,
            last_at=inspection.captured_at,
            frames=1,
            part_id=inspection.part_id,
            best_shape=_shape(detection),
        )
        return
    case.last_frame, case.last_at, case.frames = frame, inspection.captured_at, case.frames + 1
    case.part_id = case.part_id or inspection.part_id
    if detection.confidence > case.confidence:
        case.best_frame, case.best_ref = frame, inspection.frame
        case.best_box, case.confidence = detection.box, detection.confidence
        case.best_shape = _shape(detection)


def _shape(detection: Detection) -> Detection | None:
    return detection if detection.polygon or detection.keypoints or detection.corners else None


def _risen(case: DefectHistory, rules: DefectRules) -> bool:
    return case.confidence >= case.told_confidence + rules.settings.update_confidence


def _close(case: DefectHistory, at: datetime, rules: DefectRules) -> list[Defect]:
    return [] if case.opened_at is None else [_event(case, "closed", at, rules)]


def _event(case: DefectHistory, transition: Transition, at: datetime, rules: DefectRules) -> Defect:
    assert case.opened_at is not None
    case.told_confidence = case.confidence
    step = f"updated-{case.updates}" if transition == "updated" else transition
    return Defect(
        event_id=f"{case.defect_id}/{step}",
        defect_id=case.defect_id,
        transition=transition,
        camera_id=case.defect_id.split("/", 1)[0],
        session=case.session,
        label=case.label,
        severity=rules.severity(case.label),
        confidence=case.confidence,
        box=case.best_box,
        first_frame=case.first_frame,
        best_frame=case.best_frame,
        last_frame=case.last_frame,
        frames=case.frames,
        opened_at=case.opened_at,
        at=at,
        evidence=case.evidence,
        part_id=case.part_id,
    )
