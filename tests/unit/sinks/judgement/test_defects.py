"""One event for each real defect, in however many frames it shows."""

import random

import pytest

from andon.messages import Box, Detection, Inspection, RecordRef
from andon.settings import DefectClass, DefectSettings
from sinks.judgement.consequences import EvidenceOrder, evidence_path
from sinks.judgement.rules import DefectRules, JudgementRules
from tests.fakes import START
from tests.unit.sinks.judgement.frames import (
    DEFECT_RULES,
    Steps,
    box,
    crossing,
    detection,
    inspected,
    quarantined,
    shed,
    status,
)


def defect_rules(**settings: object) -> JudgementRules:
    return JudgementRules(DefectRules(DefectSettings.model_validate(settings), "evidence/"), silence_s=3.0)


def test_a_scratch_in_40_frames_is_opened_once_and_closed_once() -> None:
    steps = Steps().take([*crossing(range(40)), *(inspected(seq) for seq in range(40, 60))])
    assert steps.ids == ["press-1/s1/0/scratch-1/opened", "press-1/s1/0/scratch-1/closed"]
    closed = steps.events[-1]
    assert (closed.frames, closed.first_frame, closed.last_frame) == (40, "press-1/s1/0", "press-1/s1/39")


@pytest.mark.parametrize("apart_px", [25.0, 40.0, 120.0])
def test_two_scratches_on_one_part_raise_two(apart_px: float) -> None:
    frames = [inspected(seq, detection(14.0 * seq), detection(14.0 * seq + apart_px, 210.0, 0.7)) for seq in range(40)]
    steps = Steps().take([*frames, *(inspected(seq) for seq in range(40, 60))])
    assert [event.transition for event in steps.events] == ["opened", "opened", "closed", "closed"]
    assert {event.defect_id for event in steps.events} == {"press-1/s1/0/scratch-1", "press-1/s1/0/scratch-2"}
    assert {event.frames for event in steps.events if event.transition == "closed"} == {40}


def test_a_scratch_on_each_part_of_a_belt_raises_one_each() -> None:
    """Six parts in a row with small boxes that move further a frame than they are long; parts overlap in time."""

    def on_belt(seq: int) -> Inspection:
        places = [18.0 * (seq - 20 * part) for part in range(6)]
        return inspected(seq, *(detection(x, 150.0 + 10 * n) for n, x in enumerate(places) if 0 <= x < 620))

    steps = Steps().take([on_belt(seq) for seq in range(160)])
    assert len({event.defect_id for event in steps.events}) == 6
    assert [event.transition for event in steps.events].count("opened") == 6
    assert {event.frames for event in steps.events if event.transition == "closed"} == {35}


def test_a_detection_that_flickers_is_still_one_defect() -> None:
    draw = random.Random(7)
    frames = [inspected(seq, *([detection(16.0 * seq)] if draw.random() < 0.6 else [])) for seq in range(40)]
    steps = Steps().take([*frames, *(inspected(seq) for seq in range(40, 60))])
    assert [event.transition for event in steps.events] == ["opened", "closed"]


def test_jitter_of_the_boxes_does_not_break_a_track() -> None:
    draw = random.Random(3)
    frames = [inspected(seq, detection(16.0 * seq + draw.gauss(0, 3), 200 + draw.gauss(0, 3))) for seq in range(40)]
    assert [event.transition for event in Steps().take(frames).events] == ["opened"]


def test_shed_and_quarantined_frames_do_not_age_a_track() -> None:
    steps = Steps().take([*crossing(range(10)), shed(10, 18), *(quarantined(seq) for seq in range(19, 24))])
    steps.take([*crossing(range(24, 34)), *(inspected(seq) for seq in range(34, 45))])
    assert [event.transition for event in steps.events] == ["opened", "closed"]


def test_a_track_seen_in_too_few_of_the_last_frames_is_no_defect() -> None:
    frames = [inspected(seq, *([detection(100.0)] if seq % 3 == 0 else [])) for seq in range(30)]
    assert Steps().take(frames).events == []
    assert Steps().take(frames, defect_rules(confirm_frames=3)).events != []


def test_it_opens_on_the_frame_that_confirms_it_with_the_best_picture_so_far() -> None:
    confidences = [0.4, 0.9, 0.5, 0.45, 0.5]
    steps = Steps().take([inspected(seq, detection(10.0 * seq, 200, c)) for seq, c in enumerate(confidences)])
    opened, order = steps.events[0], steps.orders[0]
    assert opened.opened_at == opened.at == inspected(3).captured_at
    assert (opened.best_frame, opened.confidence, opened.box) == ("press-1/s1/1", 0.9, box(10.0))
    assert order.frame == inspected(1).frame
    assert opened.evidence == f"evidence/{order.path}" == "evidence/press-1/2026-03-01/s1-0-scratch-1.jpg"
    assert order.defect == opened


def test_an_update_follows_when_the_confidence_has_risen_by_enough() -> None:
    confidences = [0.4] * 5 + [0.5, 0.56, 0.6, 0.72]
    steps = Steps().take([inspected(seq, detection(10.0 * seq, 200, c)) for seq, c in enumerate(confidences)])
    assert [(event.event_id.rsplit("/", 1)[1], event.confidence) for event in steps.events] == [
        ("opened", 0.4),
        ("updated-1", 0.56),
        ("updated-2", 0.72),
    ]
    assert len(steps.orders) == 1


def test_a_session_that_ends_closes_its_defects() -> None:
    steps = Steps().take([*crossing(range(10)), status(10, final=True)])
    assert [event.transition for event in steps.events] == ["opened", "closed"]
    assert steps.events[-1].at == inspected(9).captured_at


def test_a_new_session_closes_the_defects_of_the_one_before() -> None:
    steps = Steps().take([*crossing(range(10)), inspected(0, session="s2", late_s=5)])
    assert steps.ids == ["press-1/s1/0/scratch-1/opened", "press-1/s1/0/scratch-1/closed"]


def test_each_class_has_its_severity_and_min_confidence_and_may_be_ignored() -> None:
    rules = defect_rules(
        classes={"dent": DefectClass(severity="critical", min_confidence=0.6)}, ignore=("part",), confirm_frames=2
    )
    frames = [
        inspected(
            seq, detection(10.0, 50, 0.5, "dent"), detection(200, 300, 0.7, "dent"), detection(300, 100, 0.9, "part")
        )
        for seq in range(5)
    ]
    events = Steps().take(frames, rules).events
    assert [(event.label, event.severity, event.box.y1) for event in events] == [("dent", "critical", 300)]


def test_two_boxes_on_the_same_thing_are_one_defect() -> None:
    frames = [inspected(seq, detection(10.0 * seq), detection(10.0 * seq + 1, 200, 0.5)) for seq in range(12)]
    assert [event.transition for event in Steps().take(frames).events] == ["opened"]


def test_a_less_sure_box_inside_another_one_of_its_class_is_no_second_defect() -> None:
    """A detector sometimes draws a second, shorter box on a long thing."""
    whole = [
        Detection(label="crack", confidence=0.8, box=Box(x1=9 * n, y1=50, x2=9 * n + 36, y2=110)) for n in range(40)
    ]
    half = [Detection(label="crack", confidence=0.4, box=Box(x1=9 * n, y1=52, x2=9 * n + 40, y2=90)) for n in range(40)]
    frames = [inspected(n, whole[n], *([half[n]] if n % 2 else [])) for n in range(40)]
    assert [event.transition for event in Steps().take(frames).events] == ["opened"]


@pytest.mark.parametrize(
    "impossible",
    [Box(x1=50, y1=50, x2=50, y2=60), Box(x1=60, y1=50, x2=50, y2=60), Box(x1=1e300, y1=0, x2=2e300, y2=9)],
)
def test_an_impossible_box_is_no_defect(impossible: Box) -> None:
    frames = [inspected(n, Detection(label="dent", confidence=0.9, box=impossible)) for n in range(10)]
    assert Steps().take(frames).events == []


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("scratch", "s1-4-scratch-1"),
        ("missing hole/left", "s1-4-missing_hole-left-1-"),
        ("../../etc", "s1-4-..-..-etc-1"),
        ("x" * 300, "s1-4-" + "x" * 145 + "-"),
    ],
)
def test_the_name_of_a_picture_is_safe_for_any_label(label: str, name: str) -> None:
    camera, day, file = evidence_path(f"press-1/s1/4/{label}-1", START).split("/")
    assert (camera, day) == ("press-1", "2026-03-01")
    assert file.startswith(name)
    assert file.endswith(".jpg")
    assert len(file) < 200
    assert DEFECT_RULES.defects.evidence_url == "evidence"


def test_an_evidence_order_has_the_shape_of_the_best_frame_if_there_is_one() -> None:
    def shaped(confidence: float) -> Detection:
        x = 100 * confidence
        return detection(100.0, confidence=confidence).model_copy(update={"polygon": ((x, 1.0), (x, 9.0), (9.0, 9.0))})

    sure = [0.5, 0.75, 0.625, *[0.5] * 7]
    (order,) = Steps().take([inspected(seq, shaped(sure[seq])) for seq in range(10)]).orders
    assert order.defect.best_frame == "press-1/s1/1"
    assert order.shape == shaped(0.75)
    (plain,) = Steps().take([inspected(seq, detection(100.0)) for seq in range(10)]).orders
    assert plain.shape is None
    assert "shape" not in plain.model_dump_json()


def test_an_evidence_order_names_the_keyframe_of_the_best_frame_and_old_ones_are_still_read() -> None:
    keyframe = RecordRef(topic="andon.frames", partition=0, offset=0)
    frames = [frame.model_copy(update={"keyframe": keyframe}) for frame in crossing(range(6))]
    (order,) = Steps().take(frames, stored_between=True).orders
    assert order.keyframe == keyframe
    old = order.model_dump(exclude={"keyframe"})
    assert EvidenceOrder.model_validate(old).keyframe is None
    assert "keyframe" not in EvidenceOrder.model_validate(old).model_dump_json()
