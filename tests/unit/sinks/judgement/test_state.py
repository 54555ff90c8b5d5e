"""A camera's state is a function of its log: replayed, stored in between or delivered twice, it is the same."""

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from andon.messages import Box, Detection, Expired
from sinks.audit import Circumstances, audited
from sinks.judgement.ledger import SessionLedger, total
from sinks.judgement.sessions import expire, lose_log
from sinks.judgement.snapshot import CameraSnapshot, snapshot
from sinks.judgement.state import CameraAccount, from_bytes, to_bytes
from sinks.judgement.step import AccountMessage
from sinks.store.stored import Stored
from tests.fakes import START
from tests.unit.sinks.judgement.frames import Stepped, crossing, inspected, quarantined, seen, shed, status

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
    *(inspected(seq, seen(10.0 * seq), seen(300.0, 100.0, 0.9, "dent"), session="s2", late_s=11) for seq in range(15)),
]


def checked(camera: CameraAccount) -> CameraSnapshot:
    """The totals that a camera carries along are those of its ledgers."""
    shown = snapshot(camera)
    whole = total(ledger.tally() for ledger in camera.sessions.values())
    assert whole.balanced
    assert (shown.captured, shown.lost) == (whole.captured, sum(whole.lost.values()))
    assert {name: whole.count(name) for name in shown.counts} == shown.counts
    return shown


def everything(told: Stepped) -> tuple[Any, ...]:
    ledgers = {name: ledger.to_bytes() for name, ledger in told.camera.sessions.items()}
    return told.events, told.orders, told.spans, to_bytes(told.camera.state), ledgers


def without_redelivered(told: Stepped) -> tuple[Any, ...]:
    tallies = {}
    for name, ledger in told.camera.sessions.items():
        tally = ledger.tally()
        tallies[name] = (tally.captured, tally.inspected, tally.shed, tally.quarantined, tally.lost, tally.in_flight)
    return told.events, told.orders, told.spans, to_bytes(told.camera.state), tallies


def test_the_log_of_these_tests_holds_what_they_are_about() -> None:
    told = Stepped().take(LOG)
    shown = checked(told.camera)
    assert shown.captured == 75
    assert shown.lost == 16
    assert shown.counts == {"inspected": 53, "shed": 5, "quarantined": 1}
    assert shown.verdicts == {"pass": 0, "fail": 53, "unknown": 6}
    assert [event.transition for event in told.events].count("opened") == 3
    assert [span.reason for span in told.spans] == ["offline: no route to host"]
    assert (shown.session, shown.last_frame, shown.open_defects, shown.fps) == ("s2", "press-1/s2/14", 2, 15.0)


def test_a_crash_between_any_two_records_changes_nothing() -> None:
    assert everything(Stepped().take(LOG, stored_between=True)) == everything(Stepped().take(LOG))


@given(st.integers(0, len(LOG)), st.integers(0, len(LOG)), st.integers(1, 3))
@settings(max_examples=60, deadline=None)
def test_records_that_are_delivered_again_change_neither_ledger_nor_counters_nor_events(
    first: int, last: int, times: int
) -> None:
    again = LOG[:last] + LOG[min(first, last) : last] * times + LOG[last:]
    assert without_redelivered(Stepped().take(again)) == without_redelivered(Stepped().take(LOG))


def test_redeliveries_are_told_from_what_is_new() -> None:
    told = Stepped().take([*crossing(range(10)), *crossing(range(10))])
    assert told.stale == 10
    assert told.camera.sessions["s1"].tally().redelivered == 10


def test_a_final_session_leaves_nothing_in_flight() -> None:
    told = Stepped().take([*crossing(range(10)), status(10, final=True)])
    tally = told.camera.sessions["s1"].tally()
    assert (tally.captured, tally.lost, tally.in_flight) == (10, {}, 0)


def test_what_a_killed_ingester_held_is_lost_when_the_next_sessions_frames_come() -> None:
    told = Stepped().take([*crossing(range(10)), status(14)])
    assert told.camera.sessions["s1"].tally().in_flight == 4
    told.take([status(1, "s2", at_s=5), inspected(0, session="s2", late_s=5)])
    assert told.camera.sessions["s1"].tally().lost == {"ingester_died": 4}
    assert checked(told.camera).lost == 4


def test_statuses_of_a_new_session_overtake_the_frames_of_the_one_before() -> None:
    """They do so in the ingester's mailbox: the frames behind them still belong to a session that is under way."""
    overtaken: list[AccountMessage] = [
        *crossing(range(10)),
        status(0, None, "offline", at_s=1.4),
        status(2, "s2", at_s=2.0),
        *crossing(range(10, 20)),
        status(20, final=True, state="offline", at_s=1.3),
        inspected(0, session="s2", late_s=2),
        inspected(1, session="s2", late_s=2),
    ]
    told = Stepped().take(overtaken)
    assert told.ids == ["press-1/s1/0/scratch-1/opened", "press-1/s1/0/scratch-1/closed"]
    assert told.events[-1].frames == 20
    shown = checked(told.camera)
    assert (shown.captured, shown.lost, shown.session, shown.state) == (22, 0, "s2", "online")


def test_a_session_that_never_got_a_frame_out_is_lost_with_its_ingester() -> None:
    told = Stepped().take([status(5, "s1"), status(2, "s2", at_s=9), inspected(0, session="s2", late_s=9)])
    assert told.camera.sessions["s1"].tally().lost == {"ingester_died": 5}


def test_it_is_lost_too_when_the_next_session_has_frames_before_a_status_names_it() -> None:
    """Seen in the simulation: it stayed in flight for ever."""
    told = Stepped().take([status(5, "s1"), inspected(0, session="s2", late_s=9)])
    assert told.camera.sessions["s1"].tally().in_flight == 5
    told.take([status(1, "s2", at_s=9.5)])
    assert told.camera.sessions["s1"].tally().lost == {"ingester_died": 5}
    assert checked(told.camera).lost == 5


def test_a_session_whose_name_died_with_its_ingester_ends_none_before_it_but_the_next_one_does() -> None:
    """Its frames come from the spool: that they are younger than an announced session's, nothing says."""
    told = Stepped().take([status(5, "s1"), status(0, "s3", at_s=9), inspected(0, session="s2", late_s=5)])
    told.take([status(1, "s2", "offline", final=True, at_s=6)])
    assert told.camera.sessions["s1"].tally().in_flight == 5
    told.take([inspected(0, session="s3", late_s=9)])
    assert told.camera.sessions["s1"].tally().lost == {"ingester_died": 5}
    assert checked(told.camera).lost == 5


def test_a_status_delivered_again_ends_no_session_that_was_announced_after_it() -> None:
    told = Stepped().take([*crossing(range(10)), status(10), status(2, "s2", at_s=9), status(10)])
    assert told.camera.sessions["s2"].ended is None


def test_a_late_frame_of_a_session_that_is_over_counts_and_raises_nothing() -> None:
    told = Stepped().take(
        [*crossing(range(10)), status(14), inspected(0, session="s2", late_s=5), *crossing(range(10, 14))]
    )
    assert told.camera.sessions["s1"].tally().lost == {}
    assert told.ids == ["press-1/s1/0/scratch-1/opened", "press-1/s1/0/scratch-1/closed"]
    assert checked(told.camera).last_frame == "press-1/s2/0"


def test_what_was_not_inspected_is_never_a_pass() -> None:
    told = Stepped().take([inspected(0), quarantined(1)])
    assert snapshot(told.camera).last_verdict == "unknown"
    told.take([inspected(2)])
    assert snapshot(told.camera).last_verdict == "pass"
    told.take([status(3, None, "offline")])
    assert snapshot(told.camera).last_verdict == "unknown"


def test_a_frame_with_a_defect_fails() -> None:
    assert snapshot(Stepped().take(crossing(range(1))).camera).last_verdict == "fail"


def test_a_log_that_is_lost_takes_what_was_not_accounted_for() -> None:
    told = Stepped().take([*crossing(range(10)), status(14)])
    lose_log(told.camera)
    assert checked(told.camera).lost == 4
    told.take([inspected(20)])
    assert told.camera.sessions["s1"].tally().lost == {"log_lost": 4, "missing": 6}


def test_a_camera_that_is_back_is_shown_although_the_hosts_clock_was_set_back() -> None:
    hour_s = 3600.0
    told = Stepped().take([*crossing(range(10)), status(10, at_s=hour_s), status(10, None, "offline", at_s=hour_s + 1)])
    assert snapshot(told.camera).state == "offline"
    told.take([status(0, "s2", at_s=2.0), inspected(0, session="s2"), status(5, "s2", at_s=3.0)])
    assert snapshot(told.camera).state == "online"
    told.take([status(10, at_s=hour_s)])  # delivered again, of a session that is over
    told.take([status(5, "s2", "offline", at_s=4.0)])
    assert snapshot(told.camera).state == "offline"


def expired() -> Expired:
    return Expired(camera_id="press-1", topic="andon.frames", partition=0, first_offset=3, last_offset=9, at=START)


def test_what_expired_reaches_up_to_the_next_number_that_is_heard_of() -> None:
    told = Stepped().take([*crossing(range(10)), expired(), status(16), inspected(14)])
    assert told.camera.sessions["s1"].tally().lost == {"expired": 4}
    assert checked(told.camera).lost == 4
    told.take([inspected(16)])
    assert told.camera.sessions["s1"].tally().lost == {"expired": 4, "missing": 1}


def test_sessions_that_ended_in_what_expired_lost_all_that_is_known_of_them() -> None:
    told = Stepped().take([*crossing(range(10)), status(14), expired(), inspected(3, session="s2")])
    assert told.camera.sessions["s1"].tally().lost == {"expired": 4}
    assert told.camera.sessions["s2"].tally().lost == {"expired": 3}
    assert checked(told.camera).lost == 7


def test_a_last_word_after_what_expired_says_how_much_it_was() -> None:
    last = status(25).model_copy(update={"final": True, "state": "stopped"})
    told = Stepped().take([*crossing(range(10)), expired(), last])
    assert told.camera.sessions["s1"].tally().lost == {"expired": 15}


def test_of_a_camera_that_was_never_heard_of_again_all_that_is_known_expired() -> None:
    told = Stepped().take([*crossing(range(10)), status(14)])
    expire(told.camera)
    later = Circumstances(START + timedelta(hours=1), 0, 3.0)
    stored = Stored([("press-1", told.camera.state)], {("press-1", "s1"): told.camera.sessions["s1"]}, ())
    assert audited(stored, later).total.lost == {"expired": 4}


@pytest.mark.parametrize("log", [LOG, []])
def test_what_is_stored_is_read_back(log: list[AccountMessage]) -> None:
    memory = Stepped().take(log).camera.state
    assert from_bytes(to_bytes(memory)) == memory


boxes = st.tuples(*(st.floats(allow_nan=False, allow_infinity=False) for _ in range(4)))
times = st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False))


@given(st.lists(st.tuples(boxes, times, st.text(max_size=5), st.integers(0, 2**32 - 1)), max_size=12))
@settings(max_examples=200, deadline=None)
def test_whatever_a_record_says_the_state_can_be_stored(
    records: list[tuple[tuple[float, ...], float | None, str, int]],
) -> None:
    told = Stepped()
    for (x1, y1, x2, y2), media_time_s, label, seq in records:
        strange = Detection(label=label, confidence=0.9, box=Box(x1=x1, y1=y1, x2=x2, y2=y2))
        plain = inspected(seq, strange, seen(abs(x1) % 600), seen(abs(y1) % 600))
        told.take([plain.model_copy(update={"media_time_s": media_time_s})])
        assert from_bytes(to_bytes(told.camera.state)) == told.camera.state
        checked(told.camera)


def test_the_state_of_a_camera_stays_small() -> None:
    told = Stepped().take([inspected(seq, seen(16.0 * (seq % 40), 50.0 + 7 * (seq // 40 % 50))) for seq in range(2000)])
    assert len(to_bytes(told.camera.state)) < 10_000
    assert len(told.camera.sessions["s1"].to_bytes()) < 500
    assert isinstance(told.camera.sessions["s1"], SessionLedger)
