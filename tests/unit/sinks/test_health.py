"""Frames of a camera that is frozen, dark, over-exposed or blurred: inspected, in the account, never a pass."""

from typing import get_args

import pytest

from andon.messages import ImageHealth, Inspection
from sinks.judgement.snapshot import snapshot
from tests.unit.sinks.judgement.frames import Stepped, crossing, inspected, status


def unhealthy(messages: list[Inspection], health: ImageHealth) -> list[Inspection]:
    return [message.model_copy(update={"health": health}) for message in messages]


@pytest.mark.parametrize("health", get_args(ImageHealth))
def test_an_unhealthy_picture_is_inspected_and_never_a_pass(health: ImageHealth) -> None:
    told = Stepped().take(unhealthy([inspected(seq) for seq in range(5)], health))
    shown = snapshot(told.camera)
    assert shown.counts["inspected"] == 5
    assert shown.lost == 0
    assert shown.verdicts == {"pass": 0, "fail": 0, "unknown": 5}
    assert shown.last_verdict == "unknown"


@pytest.mark.parametrize("health", ["dark", "overexposed", "blurred"])
def test_a_defect_that_shows_on_a_bad_picture_is_raised_all_the_same(health: ImageHealth) -> None:
    told = Stepped().take(unhealthy(crossing(range(10)), health))
    assert [event.transition for event in told.events] == ["opened"]
    assert snapshot(told.camera).verdicts == {"pass": 0, "fail": 0, "unknown": 10}


def test_a_frozen_picture_neither_raises_nor_moves_nor_closes_a_defect() -> None:
    before, after = crossing(range(10)), crossing(range(10, 20))
    frozen = unhealthy([inspected(seq, *before[-1].detections) for seq in range(10, 60)], "frozen")
    told = Stepped().take(before).take(frozen)
    assert [event.transition for event in told.events] == ["opened"]
    again = [message.model_copy(update={"seq": message.seq + 50}) for message in after]
    told.take(again)
    assert [event.transition for event in told.events] == ["opened"]


def test_darkness_in_which_nothing_is_seen_does_not_close_a_defect() -> None:
    told = Stepped().take(crossing(range(10))).take(unhealthy([inspected(seq) for seq in range(10, 60)], "dark"))
    assert [event.transition for event in told.events] == ["opened"]


def test_an_unhealthy_cameras_last_verdict_is_unknown_though_the_last_frame_passed() -> None:
    told = Stepped().take([inspected(0), status(1, state="blurred")])
    shown = snapshot(told.camera)
    assert (shown.state, shown.last_verdict) == ("blurred", "unknown")
