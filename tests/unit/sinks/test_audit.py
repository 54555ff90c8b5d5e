"""The audit says what is on its way, what is lost, and when nobody was watching."""

from datetime import timedelta

import pytest

from sinks.audit import Circumstances, audited
from sinks.judgement.ledger import SessionLedger
from sinks.judgement.step import AccountMessage
from sinks.store.stored import Stored
from tests.fakes import START
from tests.unit.sinks.judgement.frames import Stepped, inspected, status


def stored(told: Stepped) -> Stored:
    ledgers = {("press-1", name): ledger for name, ledger in told.camera.sessions.items()}
    return Stored([("press-1", told.camera.state)], ledgers, told.spans)


def at(seconds: float, lag: int | None = 0) -> Circumstances:
    return Circumstances(START + timedelta(seconds=seconds), lag, silence_s=3.0)


HALF_WAY: list[AccountMessage] = [*(inspected(seq) for seq in range(10)), status(12, at_s=1)]


@pytest.mark.parametrize(("seconds", "lag"), [(2, 0), (3600, 5), (3600, None)])
def test_the_tail_is_in_flight_while_anything_may_move(seconds: float, lag: int | None) -> None:
    report = audited(stored(Stepped().take(HALF_WAY)), at(seconds, lag))
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


def test_the_tail_of_an_ingester_that_is_silent_is_lost_when_all_is_read() -> None:
    report = audited(stored(Stepped().take(HALF_WAY)), at(60))
    assert report.cameras["press-1"].lost == {"ingester_died": 2}
    assert report.balanced
    assert report.fault == "lost: press-1 2 ingester_died"


def test_an_ended_sessions_last_frames_are_awaited_while_its_ingester_lives() -> None:
    waiting: list[AccountMessage] = [*HALF_WAY, *(status(0, None, "offline", at_s=second) for second in range(2, 90))]
    told = Stepped().take(waiting)
    assert audited(stored(told), at(30)).cameras["press-1"].in_flight == 2
    assert audited(stored(told), at(90)).cameras["press-1"].lost == {"ingester_died": 2}


def test_a_frame_under_two_outcomes_is_found() -> None:
    broken = stored(Stepped().take(HALF_WAY))
    ledger = broken.ledgers["press-1", "s1"]
    ledger._sets["shed/stale"] = ledger._sets["inspected"].copy()
    report = audited(broken, at(2))
    assert report.as_json()["ledger"]["duplicates"] == 10
    assert report.fault == "the account does not balance: press-1"


def test_spans_are_listed_and_the_last_one_is_still_open() -> None:
    told = Stepped().take([inspected(0), inspected(1, late_s=10), status(2, at_s=10.5)])
    spans = audited(stored(told), at(60)).as_json()["spans"]
    assert [(span["reason"], span["to"] is None) for span in spans] == [("unknown", False), ("ingester_died", True)]
    assert spans[1]["seconds"] == 49.5
    assert spans[0]["camera"] == "press-1"
    assert spans[0]["watched"]


def test_a_line_that_lags_is_not_silent() -> None:
    assert audited(stored(Stepped().take(HALF_WAY)), at(60, lag=100)).spans == ()


def test_one_camera_alone_can_be_asked_for() -> None:
    both = stored(Stepped().take(HALF_WAY))
    other = SessionLedger()
    other.add(0, 4, "inspected", None)
    both = Stored([*both.states, ("press-2", both.states[0][1])], {**both.ledgers, ("press-2", "s1"): other}, ())
    assert audited(both, at(2)).total.captured == 17
    assert list(audited(both, at(2), "press-2").cameras) == ["press-2"]
    assert audited(both, at(2), "press-9").cameras == {}
