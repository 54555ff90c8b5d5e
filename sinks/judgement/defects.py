"""Tracks -> defect events: one `opened` for each real defect, in however many frames it shows.

A track is confirmed when it was seen in `confirm_frames` of the last `confirm_window` inspected frames. A defect is
closed when its track was not seen for `close_after_frames`, or when its session ends. Ids derive from the frames, so
the same frames give the same events when they are replayed.
"""

import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from pydantic import Field

from andon.messages import Box, Defect, Detection, Inspection, RecordRef, Transition
from sinks.judgement.consequences import NOTHING, EvidenceOrder, Judgement, evidence_path
from sinks.judgement.rules import DefectRules
from sinks.judgement.tracker import Match

NO_OWNERS: Mapping[str, str] = {}


@dataclass(slots=True)
class DefectHistory:
    """One track from its first frame on. It is a candidate until it is confirmed; then it is a defect."""

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
    """None until it is confirmed."""
    evidence: str | None = None
    reported_confidence: Annotated[float, Field(alias="told_confidence")] = 0.0
    """In the last event."""
    updates: int = 0
    best_shape: Detection | None = None
    """On `best_frame`, if the model detected more than a box."""
    best_model: Annotated[str, Field(exclude_if=operator.not_)] = ""
    """sha256 of the model file that inspected `best_frame`."""
    best_keyframe: Annotated[RecordRef | None, Field(exclude_if=operator.not_)] = None
    """With which decoding of `best_frame` begins, if it is video."""


def judge(
    defects: dict[str, DefectHistory],
    matches: Sequence[Match],
    frame: Inspection,
    rules: DefectRules,
    owners: Mapping[str, str] = NO_OWNERS,
) -> Judgement:
    """Take `defects` (by track, in place) on by this frame's matches.

    `owners`: by track, the part that it is on, if parts are followed.
    """
    if not matches:
        return NOTHING
    events: list[Defect] = []
    orders: list[EvidenceOrder] = []
    for match in matches:
        name = match.track.track_id
        if match.detection is not None:
            _extend(defects, name, match.detection, frame)
        defect = defects[name]
        defect.part_id = owners.get(name, defect.part_id)
        if defect.opened_at is None:
            if rules.confirm(match.track.window):
                opened = open_defect(defect, frame.captured_at, rules)
                events += opened.events
                orders += opened.orders
        elif defect.confidence >= defect.reported_confidence + rules.settings.update_confidence:
            defect.updates += 1
            events.append(_event(defect, "updated", frame.captured_at, rules))
        if match.gone:
            events += _close(defects.pop(name), frame.captured_at, rules)
    return Judgement(tuple(events), tuple(orders))


def open_defect(defect: DefectHistory, at: datetime, rules: DefectRules) -> Judgement:
    """The candidate is confirmed by the frame that was captured at `at`."""
    defect.opened_at = at
    path = evidence_path(defect.defect_id, at)
    defect.evidence = f"{rules.evidence_url.rstrip('/')}/{path}"
    opened = _event(defect, "opened", at, rules)
    order = EvidenceOrder(
        defect=opened,
        frame=defect.best_ref,
        keyframe=defect.best_keyframe,
        path=path,
        shape=defect.best_shape,
        model=defect.best_model,
        thresholds=rules.thresholds(defect.label),
    )
    return Judgement((opened,), (order,))


def close_all(defects: dict[str, DefectHistory], rules: DefectRules) -> Judgement:
    """The session is over: every open defect closes with the last frame that showed it."""
    events = [event for defect in defects.values() for event in _close(defect, defect.last_at, rules)]
    defects.clear()
    return Judgement(tuple(events))


def _extend(defects: dict[str, DefectHistory], name: str, detection: Detection, frame: Inspection) -> None:
    defect = defects.get(name)
    if defect is None:
        defects[name] = _begin(name, detection, frame)
        return
    frame_id = frame.frame_id
    defect.last_frame, defect.last_at, defect.frames = frame_id, frame.captured_at, defect.frames + 1
    defect.part_id = defect.part_id or frame.part_id
    if detection.confidence > defect.confidence:
        defect.best_frame, defect.best_ref, defect.best_keyframe = frame_id, frame.frame, frame.keyframe
        defect.best_box, defect.confidence = detection.box, detection.confidence
        defect.best_shape, defect.best_model = _shape(detection), frame.model


def _begin(name: str, detection: Detection, frame: Inspection) -> DefectHistory:
    frame_id = frame.frame_id
    return DefectHistory(
        defect_id=name,
        session=frame.session,
        label=detection.label,
        first_frame=frame_id,
        best_frame=frame_id,
        best_ref=frame.frame,
        best_box=detection.box,
        confidence=detection.confidence,
        last_frame=frame_id,
        last_at=frame.captured_at,
        frames=1,
        part_id=frame.part_id,
        best_shape=_shape(detection),
        best_model=frame.model,
        best_keyframe=frame.keyframe,
    )


def _shape(detection: Detection) -> Detection | None:
    return detection if detection.polygon or detection.keypoints or detection.corners else None


def _close(defect: DefectHistory, at: datetime, rules: DefectRules) -> list[Defect]:
    return [] if defect.opened_at is None else [_event(defect, "closed", at, rules)]


def _event(defect: DefectHistory, transition: Transition, at: datetime, rules: DefectRules) -> Defect:
    assert defect.opened_at is not None
    defect.reported_confidence = defect.confidence
    suffix = f"updated-{defect.updates}" if transition == "updated" else transition
    return Defect(
        event_id=f"{defect.defect_id}/{suffix}",
        defect_id=defect.defect_id,
        transition=transition,
        camera_id=defect.defect_id.split("/", 1)[0],
        session=defect.session,
        label=defect.label,
        severity=rules.severity(defect.label),
        confidence=defect.confidence,
        box=defect.best_box,
        first_frame=defect.first_frame,
        best_frame=defect.best_frame,
        last_frame=defect.last_frame,
        frames=defect.frames,
        opened_at=defect.opened_at,
        at=at,
        evidence=defect.evidence,
        part_id=defect.part_id,
    )
