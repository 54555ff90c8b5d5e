"""Frames of a camera that is frozen, dark, over-exposed or blurred: inspected, in the account, never a pass."""

from typing import get_args

import pytest

from andon.messages import ImageHealth, Inspection
from sinks.judgement.snapshot import snapshot
from tests.unit.sinks.judgement.frames import Steps, crossing, inspected, status


def unhealthy(messages: list[Inspection], health: ImageHealth) -> list[Inspection]:
    return [message.model_copy(update={"health": health}) for message in messages]


@pytest.mark.parametrize("health", get_args(ImageHealth))
def test_an_unhealthy_picture_is_inspected_and_never_a_pass(health: ImageHealth) -> None:
    steps = Steps().take(unhealthy([inspected(seq) for seq in range(5)], health))
    shown = snapshot(steps.camera)
    assert shown.counts["inspected"] == 5
    assert shown.lost == 0
    assert shown.verdicts == {"pass": 0, "fail": 0, "unknown": 5}
    assert shown.last_verdict == "unknown"


@pytest.mark.parametrize("health", ["dark", "overexposed", "blurred"])
def test_a_defect_on_a_dark_or_blurred_picture_is_raised(health: ImageHealth) -> None:
    steps = Steps().take(unhealthy(crossing(range(10)), health))
    assert [event.transition for event in steps.events] == ["opened"]
    assert snapshot(steps.camera).verdicts == {"pass": 0, "fail": 0, "unknown": 10}


def test_a_frozen_picture_neither_raises_nor_moves_nor_closes_a_defect() -> None:
    before, after = crossing(range(10)), crossing(range(10, 20))
    frozen = unhealthy([inspected(seq, *before[-1].detections) for seq in range(10, 60)], "frozen")
    steps = Steps().take(before).take(frozen)
    assert [event.transition for event in steps.events] == ["opened"]
    again = [message.model_copy(update={"seq": message.seq + 50}) for message in after]
    steps.take(again)
    assert [event.transition for event in steps.events] == ["opened"]


def test_dark_pictures_without_detections_do_not_close_a_defect() -> None:
    steps = Steps().take(crossing(range(10))).take(unhealthy([inspected(seq) for seq in range(10, 60)], "dark"))
    assert [event.transition for event in steps.events] == ["opened"]


def test_an_unhealthy_cameras_last_verdict_is_unknown_though_the_last_frame_passed() -> None:
    steps = Steps().take([inspected(0), status(1, state="blurred")])
    shown = snapshot(steps.camera)
    assert (shown.state, shown.last_verdict) == ("blurred", "unknown")
