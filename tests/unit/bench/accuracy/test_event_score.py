"""Defect events by class: reported, missed and false."""

from datetime import UTC, datetime

from andon.messages import Inspection, RecordRef
from bench.accuracy.event_score import Events, by_class
from tests.unit.sample_streams.test_score import SESSION, N, clip, dent, scratch

AT = datetime(2026, 3, 1, tzinfo=UTC)


def inspections() -> list[Inspection]:
    ref = RecordRef(topic="f", partition=0, offset=0)
    about = {
        "camera_id": "cam",
        "session": SESSION,
        "width": 640,
        "height": 480,
        "captured_at": AT,
        "inspected_at": AT,
        "frame": ref,
    }
    return [Inspection.model_validate(about | {"seq": seq, "outcome": "inspected"}) for seq in (0, N - 1)]


def test_reported_defects_are_counted_by_class() -> None:
    found = by_class({"cam": clip()}, inspections(), [scratch(20), dent(22)])
    assert found == {"dent": Events(1, 1, 0), "scratch": Events(1, 1, 0)}


def test_a_missed_defect_costs_recall_and_a_false_one_precision() -> None:
    found = by_class({"cam": clip()}, inspections(), [scratch(20), scratch(70)])
    assert (found["dent"].recall, found["dent"].precision) == (0.0, 1.0)
    assert (found["scratch"].recall, found["scratch"].precision) == (1.0, 0.5)


def test_other_cameras_do_not_count() -> None:
    assert by_class({}, inspections(), [scratch(20)]) == {}
