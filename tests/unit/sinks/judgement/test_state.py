"""A camera's state is a function of its log: replayed, stored in between or redelivered, it is the same."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from andon.messages import Box, Detection, ExpiredRange
from sinks.audit import audit_of
from sinks.circumstances import Circumstances
from sinks.judgement.ledger import SessionLedger
from sinks.judgement.sessions import expire, lose_log
from sinks.judgement.snapshot import CameraSnapshot, snapshot
from sinks.judgement.state import CameraAccount, from_bytes, to_bytes
from sinks.judgement.step import AccountMessage
from sinks.judgement.tally import total
from sinks.store.stored import StoredAccounts
from tests.fakes import START
from tests.unit.sinks.judgement.frames import Steps, crossing, detection, inspected, quarantined, shed, status

LOG: list[AccountMessage] = [
    status(0, None, "connecting"),
    *crossing(range(20)),
    status(30),
    quarantined(20),
    shed(21, 25),
    *crossing(range(26, 30)),
    *crossing(range(31, 45)),
    status(45, None, "offline", at_s=3.2, detail="no route to host"),
    status(60, "s1", "offline", final=True, at_s=3.1, detail="no route to host"),
    status(3, "s2", at_s=12.0),
    *(
        inspected(seq, detection(10.0 * seq), detection(300.0, 100.0, 0.9, "dent"), session="s2", late_s=11)
        for seq in range(15)
    ),
]


def checked(camera: CameraAccount) -> CameraSnapshot:
    """A camera's totals are the sums of its ledgers."""
    shown = snapshot(camera)
    whole = total(ledger.tally() for ledger in camera.sessions.values())
    assert whole.balanced
    assert (shown.captured, shown.lost) == (whole.captured, sum(whole.lost.values()))
    assert {name: whole.count(name) for name in shown.counts} == shown.counts
    return shown


def everything(steps: Steps) -> tuple[Any, ...]:
    ledgers = {name: ledger.to_bytes() for name, ledger in steps.camera.sessions.items()}
    return steps.events, steps.orders, steps.spans, to_bytes(steps.camera.state), ledgers


def without_redelivered(steps: Steps) -> tuple[Any, ...]:
    tallies = {}
    for name, ledger in steps.camera.sessions.items():
        tally = ledger.tally()
        tallies[name] = (tally.captured, tally.inspected, tally.shed, tally.quarantined, tally.lost, tally.in_flight)
    return steps.events, steps.orders, steps.spans, to_bytes(steps.camera.state), tallies


def test_the_example_log_has_every_outcome() -> None:
    steps = Steps().take(LOG)
    shown = checked(steps.camera)
    assert shown.captured == 75
    assert shown.lost == 16
    assert shown.counts == {"inspected": 53, "shed": 5, "quarantined": 1}
    assert shown.verdicts == {"pass": 0, "fail": 53, "unknown": 6}
    assert [event.transition for event in steps.events].count("opened") == 3
    assert [span.reason for span in steps.spans] == ["offline: no route to host"]
    assert (shown.session, shown.last_frame, shown.open_defects, shown.fps) == ("s2", "press-1/s2/14", 2, 15.0)


def test_a_crash_between_any_two_records_changes_nothing() -> None:
    assert everything(Steps().take(LOG, stored_between=True)) == everything(Steps().take(LOG))


@given(st.integers(0, len(LOG)), st.integers(0, len(LOG)), st.integers(1, 3))
@settings(max_examples=60, deadline=None)
def test_redelivered_records_change_neither_ledger_nor_counters_nor_events(first: int, last: int, times: int) -> None:
    again = LOG[:last] + LOG[min(first, last) : last] * times + LOG[last:]
    assert without_redelivered(Steps().take(again)) == without_redelivered(Steps().take(LOG))


def test_redelivered_records_are_counted_as_stale() -> None:
    steps = Steps().take([*crossing(range(10)), *crossing(range(10))])
    assert steps.stale == 10
    assert steps.camera.sessions["s1"].tally().redelivered == 10


def test_a_final_session_leaves_nothing_in_flight() -> None:
    steps = Steps().take([*crossing(range(10)), status(10, final=True)])
    tally = steps.camera.sessions["s1"].tally()
    assert (tally.captured, tally.lost, tally.in_flight) == (10, {}, 0)


def test_frames_that_a_killed_ingester_held_are_lost_when_the_next_session_has_frames() -> None:
    steps = Steps().take([*crossing(range(10)), status(14)])
    assert steps.camera.sessions["s1"].tally().in_flight == 4
    steps.take([status(1, "s2", at_s=5), inspected(0, session="s2", late_s=5)])
    assert steps.camera.sessions["s1"].tally().lost == {"ingester_died": 4}
    assert checked(steps.camera).lost == 4


def test_a_status_of_a_new_session_may_overtake_frames_of_the_one_before() -> None:
    """It overtakes them in the ingester's queue. The frames behind it still belong to the current session."""
    overtaken: list[AccountMessage] = [
        *crossing(range(10)),
        status(0, None, "offline", at_s=1.4),
        status(2, "s2", at_s=2.0),
        *crossing(range(10, 20)),
        status(20, final=True, state="offline", at_s=1.3),
        inspected(0, session="s2", late_s=2),
        inspected(1, session="s2", late_s=2),
    ]
    steps = Steps().take(overtaken)
    assert steps.ids == ["press-1/s1/0/scratch-1/opened", "press-1/s1/0/scratch-1/closed"]
    assert steps.events[-1].frames == 20
    shown = checked(steps.camera)
    assert (shown.captured, shown.lost, shown.session, shown.state) == (22, 0, "s2", "online")


def test_a_session_that_never_got_a_frame_out_is_lost_with_its_ingester() -> None:
    steps = Steps().take([status(5, "s1"), status(2, "s2", at_s=9), inspected(0, session="s2", late_s=9)])
    assert steps.camera.sessions["s1"].tally().lost == {"ingester_died": 5}


def test_it_is_also_lost_when_the_next_session_has_frames_before_a_status_names_it() -> None:
    """The simulation found this: its frames stayed in flight for ever."""
    steps = Steps().take([status(5, "s1"), inspected(0, session="s2", late_s=9)])
    assert steps.camera.sessions["s1"].tally().in_flight == 5
    steps.take([status(1, "s2", at_s=9.5)])
    assert steps.camera.sessions["s1"].tally().lost == {"ingester_died": 5}
    assert checked(steps.camera).lost == 5


def test_a_session_that_no_status_announced_ends_no_announced_session_but_the_next_one_does() -> None:
    """Its frames come from the spool. Nothing shows whether they are newer than an announced session's."""
    steps = Steps().take([status(5, "s1"), status(0, "s3", at_s=9), inspected(0, session="s2", late_s=5)])
    steps.take([status(1, "s2", "offline", final=True, at_s=6)])
    assert steps.camera.sessions["s1"].tally().in_flight == 5
    steps.take([inspected(0, session="s3", late_s=9)])
    assert steps.camera.sessions["s1"].tally().lost == {"ingester_died": 5}
    assert checked(steps.camera).lost == 5


def test_a_redelivered_status_ends_no_session_that_was_announced_after_it() -> None:
    steps = Steps().take([*crossing(range(10)), status(10), status(2, "s2", at_s=9), status(10)])
    assert steps.camera.sessions["s2"].ended is None


def test_a_late_frame_of_an_ended_session_counts_and_raises_no_event() -> None:
    steps = Steps().take(
        [*crossing(range(10)), status(14), inspected(0, session="s2", late_s=5), *crossing(range(10, 14))]
    )
    assert steps.camera.sessions["s1"].tally().lost == {}
    assert steps.ids == ["press-1/s1/0/scratch-1/opened", "press-1/s1/0/scratch-1/closed"]
    assert checked(steps.camera).last_frame == "press-1/s2/0"


def test_a_frame_that_was_not_inspected_is_never_a_pass() -> None:
    steps = Steps().take([inspected(0), quarantined(1)])
    assert snapshot(steps.camera).last_verdict == "unknown"
    steps.take([inspected(2)])
    assert snapshot(steps.camera).last_verdict == "pass"
    steps.take([status(3, None, "offline")])
    assert snapshot(steps.camera).last_verdict == "unknown"


def test_a_frame_with_a_defect_fails() -> None:
    assert snapshot(Steps().take(crossing(range(1))).camera).last_verdict == "fail"


def test_a_lost_log_takes_the_frames_that_were_not_accounted_for() -> None:
    steps = Steps().take([*crossing(range(10)), status(14)])
    lose_log(steps.camera)
    assert checked(steps.camera).lost == 4
    steps.take([inspected(20)])
    assert steps.camera.sessions["s1"].tally().lost == {"log_lost": 10}
    steps.take([inspected(25)])
    assert steps.camera.sessions["s1"].tally().lost == {"log_lost": 10, "missing": 4}


def cut() -> ExpiredRange:
    return expired().model_copy(update={"reason": "log_lost"})


def test_frames_that_went_with_the_end_of_a_log_reach_up_to_the_number_of_the_next_new_frame() -> None:
    steps = Steps().take([*crossing(range(10)), cut(), status(16)])
    assert steps.camera.sessions["s1"].tally().lost == {}, "they may still come"
    steps.take([*crossing(range(7, 10)), inspected(14)])  # records before the cut are read again
    assert steps.camera.sessions["s1"].tally().lost == {"log_lost": 4}
    steps.take([inspected(16)])
    assert steps.camera.sessions["s1"].tally().lost == {"log_lost": 4, "missing": 1}


def test_a_new_session_after_a_log_that_lost_its_end_takes_every_frame_known_of_the_one_before() -> None:
    steps = Steps().take([*crossing(range(10)), status(14), cut(), inspected(3, session="s2")])
    assert steps.camera.sessions["s1"].tally().lost == {"log_lost": 4}
    assert steps.camera.sessions["s2"].tally().lost == {"log_lost": 3}
    assert checked(steps.camera).lost == 7


def test_a_final_status_that_is_read_again_does_not_say_what_a_log_has_lost() -> None:
    last = status(10).model_copy(update={"final": True, "state": "stopped"})
    steps = Steps().take([*crossing(range(10)), last, inspected(0, session="s2"), cut(), last])
    steps.take([inspected(4, session="s2")])
    assert steps.camera.sessions["s2"].tally().lost == {"log_lost": 3}


def test_a_camera_that_returns_is_shown_online_although_the_hosts_clock_was_set_back() -> None:
    hour_s = 3600.0
    steps = Steps().take([*crossing(range(10)), status(10, at_s=hour_s), status(10, None, "offline", at_s=hour_s + 1)])
    assert snapshot(steps.camera).state == "offline"
    steps.take([status(0, "s2", at_s=2.0), inspected(0, session="s2"), status(5, "s2", at_s=3.0)])
    assert snapshot(steps.camera).state == "online"
    steps.take([status(10, at_s=hour_s)])  # redelivered, of a session that is over
    steps.take([status(5, "s2", "offline", at_s=4.0)])
    assert snapshot(steps.camera).state == "offline"


def expired() -> ExpiredRange:
    return ExpiredRange(camera_id="press-1", topic="andon.frames", partition=0, first_offset=3, last_offset=9, at=START)


def test_expired_frames_reach_up_to_the_number_of_the_next_frame() -> None:
    steps = Steps().take([*crossing(range(10)), expired(), status(16), inspected(14)])
    assert steps.camera.sessions["s1"].tally().lost == {"expired": 4}
    assert checked(steps.camera).lost == 4
    steps.take([inspected(16)])
    assert steps.camera.sessions["s1"].tally().lost == {"expired": 4, "missing": 1}


def test_a_session_that_ended_in_expired_records_lost_every_frame_known_of_it() -> None:
    steps = Steps().take([*crossing(range(10)), status(14), expired(), inspected(3, session="s2")])
    assert steps.camera.sessions["s1"].tally().lost == {"expired": 4}
    assert steps.camera.sessions["s2"].tally().lost == {"expired": 3}
    assert checked(steps.camera).lost == 7


def test_a_final_status_after_expired_records_says_how_many_they_were() -> None:
    last = status(25).model_copy(update={"final": True, "state": "stopped"})
    steps = Steps().take([*crossing(range(10)), expired(), last])
    assert steps.camera.sessions["s1"].tally().lost == {"expired": 15}


def test_a_camera_that_stays_silent_after_expired_records_lost_every_frame_known_of_it() -> None:
    steps = Steps().take([*crossing(range(10)), status(14)])
    expire(steps.camera)
    later = Circumstances(START + timedelta(hours=1), 0, 3.0)
    stored = StoredAccounts([("press-1", steps.camera.state)], {("press-1", "s1"): steps.camera.sessions["s1"]}, ())
    assert audit_of(stored, later).total.lost == {"expired": 4}


@pytest.mark.parametrize("log", [LOG, []])
def test_a_stored_state_is_read_back(log: list[AccountMessage]) -> None:
    state = Steps().take(log).camera.state
    assert from_bytes(to_bytes(state)) == state


boxes = st.tuples(*(st.floats(allow_nan=False, allow_infinity=False) for _ in range(4)))
times = st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False))


@given(st.lists(st.tuples(boxes, times, st.text(max_size=5), st.integers(0, 2**32 - 1)), max_size=12))
@settings(max_examples=200, deadline=None)
def test_the_state_after_any_record_can_be_stored(
    records: list[tuple[tuple[float, ...], float | None, str, int]],
) -> None:
    steps = Steps()
    for (x1, y1, x2, y2), media_time_s, label, seq in records:
        strange = Detection(label=label, confidence=0.9, box=Box(x1=x1, y1=y1, x2=x2, y2=y2))
        plain = inspected(seq, strange, detection(abs(x1) % 600), detection(abs(y1) % 600))
        steps.take([plain.model_copy(update={"media_time_s": media_time_s})])
        assert from_bytes(to_bytes(steps.camera.state)) == steps.camera.state
        checked(steps.camera)


def test_the_state_of_a_camera_stays_small() -> None:
    steps = Steps().take(
        [inspected(seq, detection(16.0 * (seq % 40), 50.0 + 7 * (seq // 40 % 50))) for seq in range(2000)]
    )
    assert len(to_bytes(steps.camera.state)) < 10_000
    assert len(steps.camera.sessions["s1"].to_bytes()) < 500
    assert isinstance(steps.camera.sessions["s1"], SessionLedger)
