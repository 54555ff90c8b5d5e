"""The audit shows frames in flight, lost frames, and spans without frames."""

from dataclasses import replace
from datetime import timedelta

import pytest

from andon.messages import new_session
from sinks.audit import audit_of
from sinks.circumstances import Circumstances
from sinks.judgement.ledger import SessionLedger
from sinks.judgement.step import AccountMessage
from sinks.store.stored import StoredAccounts
from tests.fakes import START
from tests.unit.sinks.judgement.frames import Steps, inspected, status


def stored(steps: Steps) -> StoredAccounts:
    ledgers = {("press-1", name): ledger for name, ledger in steps.camera.sessions.items()}
    return StoredAccounts([("press-1", steps.camera.state)], ledgers, steps.spans)


def at(seconds: float, lag: int | None = 0) -> Circumstances:
    return Circumstances(START + timedelta(seconds=seconds), lag, silence_s=3.0)


HALF_WAY: list[AccountMessage] = [*(inspected(seq) for seq in range(10)), status(12, at_s=1)]


@pytest.mark.parametrize(("seconds", "lag"), [(2, 0), (3600, 5), (3600, None)])
def test_frames_not_accounted_for_are_in_flight_while_records_may_still_come(seconds: float, lag: int | None) -> None:
    report = audit_of(stored(Steps().take(HALF_WAY)), at(seconds, lag))
    assert report.as_json()["ledger"] == {
        "captured": 12,
        "inspected": 10,
        "in_flight": 2,
        "duplicates": 0,
        "shed": 0,
        "quarantined": 0,
        "lost": 0,
    }
    assert report.fault is None


def test_the_last_frames_of_a_silent_ingester_are_lost_once_all_records_are_read() -> None:
    report = audit_of(stored(Steps().take(HALF_WAY)), at(60))
    assert report.cameras["press-1"].lost == {"ingester_died": 2}
    assert report.balanced
    assert report.fault == "lost: press-1 2 ingester_died"


@pytest.mark.parametrize(("seconds", "in_flight"), [(30, 2), (90, 0)])
def test_the_last_frames_of_an_ended_session_stay_in_flight_while_its_ingester_lives(
    seconds: int, in_flight: int
) -> None:
    waiting = [*HALF_WAY, *(status(0, None, "offline", at_s=second) for second in range(2, seconds))]
    tally = audit_of(stored(Steps().take(waiting)), at(seconds)).cameras["press-1"]
    assert (tally.in_flight, tally.lost) == (in_flight, {} if in_flight else {"ingester_died": 2})


def test_an_audit_on_a_host_that_is_behind_is_made_at_the_time_of_the_newest_status() -> None:
    assert audit_of(stored(Steps().take(HALF_WAY)), at(-3600)).at == START + timedelta(seconds=1)


def test_a_frame_under_two_outcomes_breaks_the_balance() -> None:
    broken = stored(Steps().take(HALF_WAY))
    ledger = broken.ledgers["press-1", "s1"]
    ledger._sets["shed/stale"] = ledger._sets["inspected"].copy()
    report = audit_of(broken, at(2))
    assert report.as_json()["ledger"]["duplicates"] == 10
    assert report.fault == "the account does not balance: press-1"


def test_spans_are_listed_and_the_last_one_is_still_open() -> None:
    steps = Steps().take([inspected(0), inspected(1, late_s=10), inspected(2, late_s=10), status(3, at_s=10.5)])
    spans = audit_of(stored(steps), at(60)).as_json()["spans"]
    assert [(span["reason"], span["to"] is None) for span in spans] == [("unknown", False), ("ingester_died", True)]
    assert spans[1]["seconds"] == 49.5
    assert spans[0]["camera"] == "press-1"
    assert spans[0]["watched"]


def test_a_line_that_lags_is_not_silent() -> None:
    assert audit_of(stored(Steps().take(HALF_WAY)), at(60, lag=100)).spans == ()


def test_the_audit_may_cover_one_camera_only() -> None:
    both = stored(Steps().take(HALF_WAY))
    other = SessionLedger()
    other.add(0, 4, "inspected", None)
    both = StoredAccounts(
        [*both.states, ("press-2", both.states[0][1])], {**both.ledgers, ("press-2", "s1"): other}, ()
    )
    assert audit_of(both, at(2)).total.captured == 17
    assert list(audit_of(both, at(2), "press-2").cameras) == ["press-2"]
    assert audit_of(both, at(2), "press-9").cameras == {}


def test_a_camera_of_the_registry_that_no_ingester_has_captured_is_listed_and_named() -> None:
    registered = {"press-1": START, "press-9": START + timedelta(seconds=10)}
    here = Circumstances(START + timedelta(seconds=45), 0, 3.0, stalled_s=30.0, registered=registered)
    ended = stored(Steps().take([inspected(0), status(1, final=True, state="stopped")]))
    report = audit_of(ended, here)
    assert report.cameras["press-9"].captured == 0
    assert report.stalls == ("press-9: no ingester has captured it yet: is one of its site running?",)
    early = replace(here, now=START + timedelta(seconds=35))
    assert audit_of(ended, early).stalls == ()


def test_frames_that_were_captured_twice_stand_in_the_account_of_their_camera() -> None:
    old, new = new_session(START, 1), new_session(START + timedelta(seconds=10), 2)
    log = [inspected(0, session=old), inspected(0, session=new, late_s=10), inspected(1, session=old, late_s=11)]
    report = audit_of(stored(Steps().take(log)), at(60))
    assert report.as_json()["cameras"][0]["captured_twice"] == 1
    assert report.fault is None
