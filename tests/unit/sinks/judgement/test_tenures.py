"""An ingester that goes on although it has lost a camera neither ends nor hides what the newer one captures."""

from datetime import timedelta

from andon.messages import CameraStatus, Inspection, new_session
from sinks.judgement.ledger import SessionLedger
from sinks.judgement.snapshot import snapshot
from sinks.judgement.step import AccountMessage
from sinks.judgement.tally import Tally
from tests.fakes import START
from tests.unit.sinks.judgement.frames import FPS, Steps, inspected, status

OLD = new_session(START, 100)
NEW = new_session(START + timedelta(seconds=10), 101)
LATER = new_session(START + timedelta(seconds=12), 100)
"""The old ingester has lost its connection to the camera, and begun anew."""


def frames(session: str, began_s: float, numbers: range) -> list[AccountMessage]:
    return [inspected(number, session=session, late_s=began_s) for number in numbers]


def of(session: str, tenure: int, captured: int, at_s: float, **values: object) -> CameraStatus:
    plain = status(captured, session, at_s=at_s)
    return CameraStatus.model_validate({**plain.model_dump(), "tenure": tenure, "ingester": f"host-{tenure}", **values})


def tally(steps: Steps, session: str) -> Tally:
    return steps.camera.sessions[session].tally()


def test_frames_that_the_old_owner_captures_beside_the_new_one_are_counted_as_captured_twice() -> None:
    steps = Steps().take([*frames(OLD, 0, range(20)), *frames(NEW, 10, range(5))])
    late = frames(OLD, 0, range(20, 25))  # captured before, sent late: from its spool
    beside = frames(OLD, 11, range(25, 32))
    steps.take([*late, *beside, *beside, *frames(NEW, 10, range(5, 20))])
    assert tally(steps, OLD).captured_twice == 7
    assert tally(steps, NEW).captured_twice == 0
    assert tally(steps, OLD).inspected == 32
    assert steps.camera.state.session == NEW
    assert tally(steps, NEW).in_flight == 0
    assert SessionLedger.from_bytes(steps.camera.sessions[OLD].to_bytes()).tally() == tally(steps, OLD)


def test_a_session_that_the_old_owner_begins_does_not_end_the_new_owners() -> None:
    steps = Steps().take([*frames(OLD, 0, range(20)), *frames(NEW, 10, range(30))])
    steps.take([of(LATER, 100, 3, 12.1), *frames(LATER, 12, range(5)), of(LATER, 100, 9, 12.5)])
    steps.take(frames(NEW, 10, range(30, 60)))
    assert steps.camera.state.session == NEW
    assert steps.camera.sessions[NEW].ended is None
    assert tally(steps, NEW).inspected == 60
    assert tally(steps, LATER).captured_twice == 5
    assert tally(steps, LATER).lost == {"ingester_died": 4}, "in flight, but not for ever"
    steps.take([*frames(LATER, 12, range(5, 9)), of(LATER, 100, 9, 13, final=True, state="stopped")])
    assert tally(steps, LATER).lost == {}
    assert tally(steps, LATER).inspected == 9


def test_what_the_old_owner_says_of_the_camera_is_not_shown() -> None:
    steps = Steps().take([*frames(OLD, 0, range(20)), *frames(NEW, 10, range(30)), of(NEW, 101, 30, 11)])
    shown = snapshot(steps.camera)
    assert (shown.state, shown.ingester) == ("online", "host-101")
    steps.take([of(OLD, 100, 20, 30, final=True, state="stopped", detail="stopped on request")])
    assert snapshot(steps.camera) == shown
    assert steps.camera.sessions[OLD].ended == "final"


def test_an_ingester_of_the_version_before_has_no_tenure_and_is_no_old_owner() -> None:
    plain = new_session(START + timedelta(seconds=20))
    steps = Steps().take([*frames(NEW, 10, range(20)), *frames(plain, 20, range(20))])
    assert steps.camera.state.session == plain
    assert tally(steps, plain).captured_twice == 0


def test_an_owner_whose_tenure_is_lower_than_that_of_a_session_that_has_ended_captures_the_camera() -> None:
    """The group's memory and the clock may both be lost: then the line must not stay blind."""
    steps = Steps().take([*frames(NEW, 10, range(20)), of(NEW, 101, 20, 15, final=True, state="stopped")])
    steps.take(frames(LATER, 20, range(20)))
    assert steps.camera.state.session == LATER
    assert tally(steps, LATER).captured_twice == 0


def test_frames_say_when_they_were_captured() -> None:
    frame = frames(OLD, 11, range(25, 26))[0]
    assert isinstance(frame, Inspection)
    assert frame.captured_at == START + timedelta(seconds=11 + 25 / FPS)
