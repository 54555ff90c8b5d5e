import json
from dataclasses import asdict, replace
from typing import Any

import pytest

from tests.soak.recovery import Recovery
from tests.soak.schedule import KINDS, Fault, Kind
from tests.soak.verdict import Account, SoakReport, account_of, compared

WELL = Recovery({"inspected": 1.0, "alerts": 2.5})
NONE = {"captured": 10, "inspected": 10, "in_flight": 0, "duplicates": 0, "shed": 0, "quarantined": 0, "lost": 0}


def fault(kind: Kind) -> Fault:
    return Fault(1, kind, 3.0, 0.0)


def account(conflicts: int = 0, *, balanced: bool = True, lost: dict[str, int] | None = None, **ledger: int) -> Account:
    return Account(NONE | ledger, lost or {}, conflicts, balanced)


def outcome() -> SoakReport:
    return SoakReport(1, "embedded")


def test_a_fault_that_costs_nothing_is_as_promised() -> None:
    soak = outcome()
    assert soak.add_fault(fault("kill_sink"), WELL, account()) == []
    soak.finish(account(), compared({"e": 1}, frozenset({"e"}), {"e": 1}))
    assert soak.complaints == []


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        (account(balanced=False), "the account does not balance"),
        (account(duplicates=2), "2 counted twice"),
        (account(conflicts=1), "1 with two outcomes"),
        (account(lost={"expired": 3}), "lost: {'expired': 3}"),
    ],
)
def test_a_broken_promise_is_a_complaint_after_a_fault_and_at_the_end(wrong: Account, complaint: str) -> None:
    assert outcome().add_fault(fault("kill_sink"), WELL, wrong) == [complaint]
    soak = outcome()
    soak.finish(wrong, {})
    assert soak.complaints == [f"at the end: {complaint}"]


@pytest.mark.parametrize("kind", KINDS)
def test_only_the_death_of_an_ingester_may_cost_frames(kind: Kind) -> None:
    complaints = outcome().add_fault(fault(kind), WELL, account(lost={"ingester_died": 2}))
    assert complaints == ([] if kind == "kill_ingest" else ["lost: {'ingester_died': 2}"])


def test_a_loss_is_a_complaint_about_its_own_fault_alone() -> None:
    soak = outcome()
    soak.add_fault(fault("kill_ingest"), WELL, account(lost={"ingester_died": 2}))
    assert soak.add_fault(fault("kill_sink"), WELL, account(lost={"ingester_died": 2})) == []
    assert soak.add_fault(fault("kill_sink"), WELL, account(lost={"ingester_died": 3})) == [
        "lost: {'ingester_died': 1}"
    ]


def test_a_killed_ingester_may_cost_nothing_else() -> None:
    assert outcome().add_fault(fault("kill_ingest"), WELL, account(lost={"expired": 1})) == ["lost: {'expired': 1}"]


def test_a_place_that_does_not_work_again_is_named() -> None:
    (complaint,) = outcome().add_fault(fault("kill_sink"), Recovery({"inspected": 1.0, "alerts": None}), account())
    assert complaint == "not recovered after 120 s: alerts"


def test_a_line_has_recovered_when_its_last_place_has() -> None:
    assert WELL.seconds == 2.5
    assert Recovery({"inspected": 1.0, "alerts": None}).seconds is None


def test_frames_in_flight_are_a_complaint_at_the_end_alone() -> None:
    soak = outcome()
    assert soak.add_fault(fault("kill_sink"), WELL, account(in_flight=4)) == []
    soak.finish(account(in_flight=4), {})
    assert soak.complaints == ["at the end: 4 frames were left in flight"]


@pytest.mark.parametrize(
    ("stored", "alerts", "wrong"),
    [
        ({"a", "b"}, {"a": 1, "b": 1}, None),
        ({"a"}, {"a": 1, "b": 1}, "missing from the store"),
        ({"a", "b", "c"}, {"a": 1, "b": 1}, "in the store that the log does not give"),
        ({"a", "b"}, {"a": 1}, "never alerted"),
        ({"a", "b"}, {"a": 1, "b": 1, "c": 1}, "alerted that the log does not give"),
        ({"a", "b"}, {"a": 1, "b": 2}, "alerted twice"),
    ],
)
def test_events_are_those_of_the_log_each_once(stored: set[str], alerts: dict[str, int], wrong: str | None) -> None:
    events = compared({"a": 1, "b": 1}, frozenset(stored), alerts)
    assert {what for what, count in events.items() if count} == {"raised"} | ({wrong} if wrong else set())
    soak = outcome()
    soak.finish(account(), events)
    assert soak.complaints == ([f"at the end: 1 events {wrong}"] if wrong else [])


def test_losses_are_summed_over_the_cameras() -> None:
    cameras: list[dict[str, Any]] = [
        {"lost": {"ingester_died": 1, "expired": 0}, "quarantined": {"too_large": 2}, "conflicts": 1},
        {"lost": {"ingester_died": 2}, "quarantined": {}, "conflicts": 0},
    ]
    spans: list[dict[str, Any]] = [{"to": None}, {"to": "2026-03-01T06:00:00+00:00"}]
    account = account_of({"ledger": NONE, "cameras": cameras, "spans": spans, "balanced": True})
    assert (account.lost, account.conflicts) == ({"ingester_died": 3}, 1)
    assert (account.quarantined, account.gaps) == ({"too_large": 2}, 1)


def test_a_log_that_is_rolled_back_may_cost_what_went_with_it() -> None:
    assert outcome().add_fault(fault("roll_back"), WELL, account(lost={"log_lost": 9})) == []
    assert outcome().add_fault(fault("kill_broker"), WELL, account(lost={"log_lost": 9})) == ["lost: {'log_lost': 9}"]


QUARANTINED = replace(account(), quarantined={"too_large": 3})


@pytest.mark.parametrize(
    ("kind", "after", "complaints"),
    [
        ("large_record", QUARANTINED, []),
        ("large_record", account(), ["nothing is quarantined as too_large"]),
        ("stuffed_jpegs", account(), []),
        ("stuffed_jpegs", QUARANTINED, ["quarantined: {'too_large': 3}"]),
        ("kill_cameras", replace(account(), quarantined={"undecodable": 2}), []),
        ("kill_cameras", account(), []),
        ("freeze_cameras", replace(account(), quarantined={"undecodable": 1}), []),
        ("kill_worker", replace(account(), quarantined={"undecodable": 2}), ["quarantined: {'undecodable': 2}"]),
        ("kill_worker", replace(account(), quarantined={"unproven": 2}), ["quarantined: {'unproven': 2}"]),
        ("kill_cameras", replace(account(), quarantined={"unproven": 2, "undecodable": 1}), []),
        ("roll_back", replace(account(), quarantined={"unproven": 2}), []),
        ("roll_back", replace(account(), quarantined={"undecodable": 2}), ["quarantined: {'undecodable': 2}"]),
        ("step_clock", account(shed=4), ["shed: 4"]),
        ("step_clock", replace(account(), gaps=2), ["2 gaps"]),
        ("kill_cameras", replace(account(), gaps=2), []),
    ],
)
def test_what_else_a_fault_may_cost(kind: Kind, after: Account, complaints: list[str]) -> None:
    soak = outcome()
    assert soak.add_fault(fault("kill_sink"), WELL, account()) == []
    assert soak.add_fault(fault(kind), WELL, after) == complaints


def test_a_report_of_several_faults_can_be_written() -> None:
    soak = outcome()
    report = {
        "ledger": NONE,
        "cameras": [{"lost": {}, "quarantined": {"too_large": 1}, "conflicts": 0}],
        "spans": [],
        "balanced": True,
    }
    soak.add_fault(fault("large_record"), WELL, account_of(report))
    assert json.loads(json.dumps(asdict(soak)))["before"]["quarantined"] == {"too_large": 1}
