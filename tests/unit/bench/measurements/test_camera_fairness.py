"""Whether cameras that share workers are served alike."""

from datetime import timedelta

import pytest

from andon.messages import Inspection, RecordRef
from bench.harness.plumbing import Watched, evenness
from bench.measurements.camera_fairness import shared_out
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
    shared = shared_out(2, backlog)
    assert shared.fairness == 1
    assert shared.least == 1
    assert shared.frames_per_s == pytest.approx(10)


def test_a_camera_that_waits_for_the_other_has_nothing_at_half_time() -> None:
    backlog = [inspection("ab"[number >= 20], number % 20, number / 10) for number in range(40)]
    shared = shared_out(2, backlog)
    assert shared.fairness == 0.5
    assert shared.least == 0


def test_evenness_is_one_for_equal_shares_and_one_nth_where_one_has_all() -> None:
    assert evenness([3, 3, 3]) == pytest.approx(1)
    assert evenness([9, 0, 0]) == pytest.approx(1 / 3)


def test_an_inspection_that_comes_again_is_counted_apart() -> None:
    watched = Watched()
    for _ in range(2):
        watched.see(inspection("a", 0, 0), START)
    assert len(watched.inspections) == 1
    assert watched.repeated == 1
