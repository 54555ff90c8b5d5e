"""The states of alarms by ISA-18.2, and from which records of a camera they follow."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from andon.alarms import Alarm, AlarmRequest, AlarmState
from andon.alarms.messages import MAX_ALARMS
from andon.messages import Inspection
from andon.settings import DefectSettings
from sinks.judgement.alarm_step import time_is_due
from sinks.judgement.rules import DefectRules, JudgementRules
from sinks.judgement.state import CameraAccount, from_bytes, to_bytes
from sinks.judgement.step import AccountMessage, step
from tests.fakes import START
from tests.unit.sinks.judgement.belt import part_rules
from tests.unit.sinks.judgement.frames import DEFECT_RULES, crossing, detection, inspected, status
from tests.unit.sinks.judgement.test_parts import BAD, GOOD, passing

SCRATCH = "press-1/defect/scratch"
BLIND = "press-1/blind"


def ask(action: str, *alarms: str, at_s: float = 2.0, **more: Any) -> AlarmRequest:
    fields = {"request_id": f"{action}-{at_s}", "camera_id": "press-1", "by": "Ann", "at": START} | more
    if action == "shelve":
        fields.setdefault("for_s", 60.0)
    fields["at"] = START + timedelta(seconds=at_s)
    return AlarmRequest(action=action, alarms=alarms, **fields)


class Line:
    """One camera, whose state is stored and read again after each record."""

    def __init__(self, rules: JudgementRules = DEFECT_RULES) -> None:
        self.camera = CameraAccount("press-1")
        self.rules = rules
        self.events: list[Alarm] = []

    def take(self, *messages: AccountMessage) -> "Line":
        for message in messages:
            self.events += step(self.camera, message, self.rules).alarms
            self.camera.state = from_bytes(to_bytes(self.camera.state))
        return self

    @property
    def steps(self) -> list[tuple[str, str]]:
        return [(event.change, event.state) for event in self.events]

    def state(self, name: str = SCRATCH) -> AlarmState:
        alarm = self.camera.state.alarms.standing.get(name)
        return "normal" if alarm is None else alarm.state


def scratches(first: int, frames: int = 5) -> list[Inspection]:
    return [inspected(seq, detection(16.0 * (seq - first))) for seq in range(first, first + frames)]


def nothing(first: int, frames: int = 15) -> list[Inspection]:
    return [inspected(seq) for seq in range(first, first + frames)]


def test_a_defect_raises_its_alarm_which_returns_when_it_leaves_and_is_normal_when_acknowledged() -> None:
    line = Line().take(*crossing(range(5)), *nothing(5), ask("acknowledge"))
    assert line.steps == [("raised", "unacknowledged"), ("returned", "returned"), ("acknowledged", "normal")]
    opened = line.events[0]
    assert (opened.alarm_id, opened.label, opened.severity, opened.source) == (
        SCRATCH,
        "scratch",
        "major",
        "press-1/s1/0/scratch-1",
    )
    assert (line.events[-1].by, line.events[-1].at) == ("Ann", START + timedelta(seconds=2))
    assert not line.camera.state.alarms.standing


def test_an_alarm_acknowledged_while_its_cause_is_there_is_normal_when_the_cause_goes() -> None:
    line = Line().take(*crossing(range(5)), ask("acknowledge", SCRATCH, note="seen"), *nothing(5))
    assert line.steps == [("raised", "unacknowledged"), ("acknowledged", "acknowledged"), ("returned", "normal")]
    assert line.events[1].note == "seen"


def test_a_new_defect_of_the_class_takes_the_acknowledgement_away_and_counts() -> None:
    line = Line().take(*crossing(range(5)), ask("acknowledge"))
    line.take(*(inspected(seq, detection(16.0 * seq), detection(16.0 * (seq - 5), y=50.0)) for seq in range(5, 10)))
    last = line.events[-1]
    assert (last.change, last.state, last.count, last.by) == ("raised", "unacknowledged", 2, "")


def test_a_flood_of_defects_of_one_class_is_one_alarm_with_a_count() -> None:
    line = Line()
    for number in range(20):
        line.take(*scratches(40 * number), *nothing(40 * number + 5, 35))
    assert line.camera.state.alarms.standing.keys() == {SCRATCH}
    assert line.camera.state.alarms.standing[SCRATCH].count == 20
    line.take(ask("acknowledge", at_s=60.0))
    assert line.state() == "normal"


def test_a_shelved_alarm_says_nothing_until_it_comes_back_by_itself() -> None:
    line = Line().take(*crossing(range(5)), ask("shelve", SCRATCH, at_s=1.0, for_s=3.0))
    assert line.events[-1].shelved_until == START + timedelta(seconds=4)
    line.take(*nothing(5, 20), *scratches(25))
    assert line.steps[1:] == [("shelved", "shelved")], "what comes and goes meanwhile is not published"
    line.take(*(inspected(seq, detection(16.0 * (seq - 25))) for seq in range(30, 61)))
    assert line.steps[2:] == [("shelf_expired", "unacknowledged")]
    assert line.events[-1].count == 1


def test_a_shelf_that_ends_without_a_cause_leaves_nothing() -> None:
    line = Line().take(*crossing(range(5)), ask("shelve", at_s=1.0, for_s=2.0), *nothing(5, 60))
    assert line.steps[-1] == ("shelf_expired", "normal")
    assert not time_is_due(line.camera, START + timedelta(seconds=4.2), DEFECT_RULES)


def test_a_shelf_ends_by_a_check_of_the_sinks_where_no_record_comes() -> None:
    line = Line().take(*crossing(range(5)), ask("shelve", at_s=1.0, for_s=2.0))
    assert not time_is_due(line.camera, START + timedelta(seconds=2.9), DEFECT_RULES)
    assert time_is_due(line.camera, START + timedelta(seconds=3), DEFECT_RULES)
    line.take(ask("check", at_s=3.0, by="the line"))
    assert line.steps[-1] == ("shelf_expired", "unacknowledged")


def test_an_alarm_can_be_put_aside_while_it_is_normal() -> None:
    line = Line().take(*nothing(0, 3), ask("out_of_service", SCRATCH), *scratches(3), *nothing(8))
    assert line.steps == [("out_of_service", "out_of_service")]
    line.take(ask("return_to_service", SCRATCH, at_s=3.0))
    assert line.steps[-1] == ("returned_to_service", "normal")


def test_unshelve_and_return_to_service_bring_back_what_is_still_wrong() -> None:
    line = Line().take(*crossing(range(5)), ask("shelve"), ask("unshelve", at_s=2.1))
    assert line.steps[1:] == [("shelved", "shelved"), ("unshelved", "unacknowledged")]
    line.take(ask("out_of_service", at_s=2.2), ask("shelve", at_s=2.3), ask("return_to_service", at_s=2.4))
    assert line.steps[3:] == [("out_of_service", "out_of_service"), ("returned_to_service", "unacknowledged")]


def test_a_request_that_comes_again_changes_nothing() -> None:
    shelve = ask("shelve")
    line = Line().take(*crossing(range(5)), shelve, ask("unshelve", at_s=2.1), shelve)
    assert line.state() == "unacknowledged"


def test_only_the_named_alarms_are_acknowledged() -> None:
    two = [inspected(seq, detection(16.0 * seq), detection(16.0 * seq, y=50.0, label="dent")) for seq in range(5)]
    line = Line().take(*two, ask("acknowledge", "press-1/defect/dent"))
    assert (line.state("press-1/defect/dent"), line.state()) == ("acknowledged", "unacknowledged")
    line.take(ask("acknowledge", at_s=2.5))
    assert line.state() == "acknowledged"


def test_whoever_names_an_alarm_that_is_normal_learns_that_it_is() -> None:
    line = Line().take(*nothing(0, 3), ask("acknowledge", SCRATCH))
    (answer,) = line.events
    assert (answer.alarm_id, answer.state, line.camera.state.alarms.standing) == (SCRATCH, "normal", {})


UNFIT = ("offline", "frozen", "dark", "overexposed", "blurred")


@pytest.mark.parametrize("reason", UNFIT)
def test_a_camera_without_fit_pictures_is_blind_until_its_status_says_otherwise(reason: Any) -> None:
    line = Line().take(*nothing(0, 3), status(3, state=reason, at_s=1, detail="no route"), status(4, at_s=2))
    assert line.steps == [("raised", "unacknowledged"), ("returned", "returned")]
    assert (line.events[0].alarm_id, line.events[0].label, line.events[0].detail) == (BLIND, reason, "no route")


def test_a_camera_that_changes_from_one_blindness_to_another_keeps_its_alarm() -> None:
    line = Line().take(*nothing(0, 3), status(3, state="dark", at_s=1), ask("acknowledge"))
    line.take(status(3, state="offline", at_s=3))
    assert (line.steps[-1], line.events[-1].severity) == (("changed", "acknowledged"), "critical")


def test_a_camera_is_blind_when_its_ingester_says_that_no_frame_comes() -> None:
    line = Line().take(*nothing(0, 30), status(30, at_s=2), status(30, at_s=4), status(30, at_s=6))
    assert [(event.change, event.label) for event in line.events] == [("raised", "silent")]
    line.take(inspected(31))
    assert line.steps[-1] == ("returned", "returned")


def test_a_camera_of_which_nothing_is_heard_is_blind_by_a_check_of_the_sinks() -> None:
    line = Line().take(*nothing(0, 30))
    assert not time_is_due(line.camera, START + timedelta(seconds=25), DEFECT_RULES)
    late = START + timedelta(seconds=40)
    assert time_is_due(line.camera, late, DEFECT_RULES)
    line.take(ask("check", at_s=25.0, by="the line"), ask("check", at_s=40.0, by="the line"))
    assert [(event.change, event.label) for event in line.events] == [("raised", "silent")]
    assert not time_is_due(line.camera, late, DEFECT_RULES), "it is known now"
    assert not time_is_due(Line().take(*nothing(0, 3)).camera, late + timedelta(days=2), DEFECT_RULES)


def test_a_camera_that_was_stopped_or_still_connects_is_not_blind() -> None:
    assert not Line().take(*nothing(0, 9), status(9, state="stopped", final=True), ask("check", at_s=60.0)).events
    connecting = [status(0, None, "connecting", at_s=second) for second in range(0, 29, 4)]
    line = Line().take(*connecting)
    assert not line.events
    assert line.take(status(0, None, "connecting", at_s=31)).events[0].label == "silent"


def test_a_status_that_comes_again_does_not_clear_the_alarm() -> None:
    early = status(3, at_s=0.3)
    line = Line().take(*nothing(0, 3), early, status(3, at_s=6), early)
    assert line.state(BLIND) == "unacknowledged"


def test_a_rejected_part_raises_an_alarm_until_the_next_part_passes() -> None:
    line = Line(part_rules())
    line.take(*passing(BAD, replace(GOOD, at_px=-500)))
    (reject,) = [event for event in line.events if event.kind == "reject" and event.change == "raised"]
    assert (reject.alarm_id, reject.detail, reject.active) == ("press-1/reject", "scratch", True)
    assert line.state("press-1/reject") == "returned"


def test_a_severity_rises_and_falls_only_with_a_new_alarm() -> None:
    settings = DefectSettings.model_validate({"classes": {"scratch": {"severity": "critical"}}})
    line = Line(JudgementRules(DefectRules(settings, ""), 3.0)).take(*crossing(range(5)))
    assert line.events[0].severity == "critical"


def test_classes_beyond_the_bound_share_one_alarm() -> None:
    """Foreign records may name any class."""
    line = Line()
    for number in range(MAX_ALARMS + 5):
        frames = (inspected(30 * number + seq, detection(16.0 * seq, label=f"c{number}")) for seq in range(5))
        line.take(*frames, *nothing(30 * number + 5, 25))
    standing = line.camera.state.alarms.standing
    assert len(standing) <= MAX_ALARMS
    assert standing["press-1/defect/*"].count == 7
    assert not any(alarm.active for alarm in standing.values())


def test_every_event_has_an_id_of_its_own_and_a_replay_gives_the_same() -> None:
    log: Sequence[AccountMessage] = [*crossing(range(5)), ask("acknowledge"), *nothing(5), *scratches(30), *nothing(35)]
    events = Line().take(*log).events
    assert len({event.event_id for event in events}) == len(events) == 5
    assert Line().take(*log).events == events
