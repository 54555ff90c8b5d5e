"""Cameras that share workers, and how fairly they are served."""

from datetime import timedelta

import pytest

from andon.messages import Inspection, RecordRef
from bench.harness.topic_reader import InspectionLog
from bench.measurements.camera_fairness import camera_shares, jain_index
from tests.fakes import START


def inspection(camera_id: str, seq: int, at_s: float) -> Inspection:
    return Inspection(
        camera_id=camera_id,
        session="s",
        seq=seq,
        captured_at=START,
        outcome="inspected",
        width=160,
        height=120,
        frame=RecordRef(topic="frames", partition=0, offset=seq),
        inspected_at=START + timedelta(seconds=at_s),
    )


def test_cameras_in_turn_have_equal_shares() -> None:
    backlog = [inspection("ab"[number % 2], number // 2, number / 10) for number in range(40)]
    shared = camera_shares(2, backlog)
    assert shared.fairness == 1
    assert shared.least == 1
    assert shared.frames_per_s == pytest.approx(10)


def test_a_camera_that_waits_for_another_has_no_share_at_half_time() -> None:
    backlog = [inspection("ab"[number >= 20], number % 20, number / 10) for number in range(40)]
    shared = camera_shares(2, backlog)
    assert shared.fairness == 0.5
    assert shared.least == 0


def test_the_index_is_one_for_equal_shares_and_one_nth_if_one_has_all() -> None:
    assert jain_index([3, 3, 3]) == pytest.approx(1)
    assert jain_index([9, 0, 0]) == pytest.approx(1 / 3)


def test_a_repeated_inspection_is_counted_apart() -> None:
    log = InspectionLog()
    for _ in range(2):
        log.add(inspection("a", 0, 0), START)
    assert len(log.inspections) == 1
    assert log.repeated == 1
