"""The account of a session balances after any deliveries, in any number."""

import json
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from andon.messages import Outcome, ShedReason
from sinks.judgement.ledger import SessionEnd, SessionLedger
from sinks.judgement.tally import total

KEYS: list[tuple[Outcome, str | None]] = [
    ("inspected", None),
    *[("shed", reason) for reason in get_args(ShedReason)],
    ("quarantined", "undecodable"),
    ("quarantined", "unproven"),
]
ranges = st.tuples(st.integers(0, 60), st.integers(0, 9)).map(lambda pair: (pair[0], pair[0] + pair[1]))
additions = st.tuples(ranges, st.sampled_from(KEYS))
steps = st.lists(
    st.one_of(
        additions.map(lambda given: ("add", given)),
        st.integers(0, 90).map(lambda captured: ("captured", captured)),
        st.sampled_from(get_args(SessionEnd)).map(lambda how: ("end", how)),
        st.just(("lose_log", None)),
        st.sets(st.integers(0, 70), max_size=4).map(lambda numbers: ("expect", numbers)),
        st.integers(0, 90).map(lambda below: ("expire", below)),
    ),
    max_size=40,
)


def apply(ledger: SessionLedger, step: tuple[str, Any]) -> None:
    match step:
        case ("add", ((first, last), (outcome, reason))):
            ledger.add(first, last, outcome, reason)
        case ("captured", captured):
            ledger.saw_captured(captured)
        case ("end", how):
            ledger.end(how)
        case ("expire", below):
            ledger.expire(below)
        case ("expect", numbers):
            ledger.expect(numbers)
        case _:
            ledger.lose_log(ledger.captured)


@given(steps)
def test_it_balances_after_any_sequence(sequence: list[tuple[str, Any]]) -> None:
    ledger = SessionLedger()
    for step in sequence:
        apply(ledger, step)
        assert ledger.tally().balanced, step


@given(steps)
def test_its_sums_are_those_of_its_tally(sequence: list[tuple[str, Any]]) -> None:
    ledger = SessionLedger()
    for step in sequence:
        apply(ledger, step)
        tally, sums = ledger.tally(), ledger.sums()
        assert (sums.captured, sums.lost) == (tally.captured, sum(tally.lost.values())), step
        counts = [tally.count(outcome) for outcome in get_args(Outcome)]
        assert [getattr(sums, outcome) for outcome in get_args(Outcome)] == counts, step


@given(steps)
def test_it_is_the_same_after_being_stored(sequence: list[tuple[str, Any]]) -> None:
    ledger = SessionLedger()
    for step in sequence:
        apply(ledger, step)
        ledger = SessionLedger.from_bytes(stored := ledger.to_bytes())
        assert ledger.to_bytes() == stored
    once = SessionLedger()
    for step in sequence:
        apply(once, step)
    assert ledger.tally() == once.tally()


@given(st.lists(additions, max_size=20), st.randoms())
def test_redelivery_in_any_order_changes_no_outcome(given_: list[Any], random: Any) -> None:
    ledger = SessionLedger()
    for (first, last), (outcome, reason) in given_:
        ledger.add(first, last, outcome, reason)
    before = ledger.tally()
    again = given_ * 2
    random.shuffle(again)
    assert all(ledger.add(first, last, outcome, reason) == 0 for (first, last), (outcome, reason) in again)
    after = ledger.tally()
    assert (after.inspected, after.shed, after.quarantined) == (before.inspected, before.shed, before.quarantined)
    assert (after.captured, after.lost, after.in_flight) == (before.captured, before.lost, before.in_flight)
    assert after.balanced


def test_the_first_outcome_of_a_frame_stands() -> None:
    ledger = SessionLedger()
    assert ledger.add(7, 7, "inspected", None) == 1
    assert ledger.add(7, 7, "shed", "stale") == 0
    tally = ledger.tally()
    assert (tally.inspected, tally.shed, tally.conflicts, tally.redelivered) == (1, {}, 1, 0)


def test_a_number_missing_below_the_highest_is_lost_and_the_tail_is_in_flight() -> None:
    ledger = SessionLedger()
    ledger.add(0, 4, "inspected", None)
    ledger.add(6, 9, "inspected", None)
    ledger.saw_captured(15)
    tally = ledger.tally()
    assert (tally.captured, tally.lost, tally.in_flight) == (15, {"missing": 1}, 5)


def test_a_number_that_is_announced_to_follow_is_in_flight_until_the_session_ends() -> None:
    ledger = SessionLedger()
    ledger.add(0, 0, "inspected", None)
    ledger.add(3, 3, "inspected", None)
    ledger.expect((1, 2))
    assert (ledger.tally().lost, ledger.tally().in_flight) == ({}, 2)
    ledger.add(2, 2, "inspected", None)
    assert (ledger.tally().lost, ledger.tally().in_flight) == ({}, 1)
    ledger.end("final")
    assert (ledger.tally().lost, ledger.tally().in_flight) == ({"missing": 1}, 0)


def test_a_worker_that_takes_over_in_the_middle_of_a_group_contradicts_nobody() -> None:
    ledger = SessionLedger()
    ledger.add(0, 4, "inspected", None)
    ledger.add(0, 4, "quarantined", "unproven")
    tally = ledger.tally()
    assert (tally.inspected, tally.quarantined, tally.conflicts, tally.redelivered) == (5, {}, 0, 5)


@pytest.mark.parametrize(("how", "reason"), [("final", "missing"), ("superseded", "ingester_died")])
def test_frames_that_an_ended_session_still_held_are_lost(how: SessionEnd, reason: str) -> None:
    ledger = SessionLedger()
    ledger.add(0, 9, "inspected", None)
    ledger.saw_captured(12)
    ledger.end(how)
    tally = ledger.tally()
    assert (tally.lost, tally.in_flight) == ({reason: 2}, 0)


def test_frames_lost_with_the_log_are_counted_apart_from_later_losses() -> None:
    ledger = SessionLedger()
    ledger.add(0, 4, "inspected", None)
    ledger.saw_captured(10)
    ledger.lose_log(ledger.captured)
    assert ledger.tally().lost == {"log_lost": 5}
    ledger.add(12, 12, "inspected", None)
    tally = ledger.tally()
    assert (tally.lost, tally.in_flight, tally.captured) == ({"log_lost": 5, "missing": 2}, 0, 13)


def test_expired_frames_are_counted_apart_and_one_that_comes_after_all_counts() -> None:
    ledger = SessionLedger()
    ledger.add(0, 4, "inspected", None)
    ledger.add(6, 6, "inspected", None)
    assert ledger.expire(10) == 4
    ledger.add(12, 12, "inspected", None)
    assert ledger.tally().lost == {"expired": 4, "missing": 2}
    ledger.add(8, 8, "inspected", None)
    tally = ledger.tally()
    assert (tally.lost, tally.captured, tally.in_flight) == ({"expired": 3, "missing": 2}, 13, 0)


def test_a_ledger_stored_without_the_key_expired_is_read() -> None:
    ledger = SessionLedger()
    ledger.add(0, 4, "inspected", None)
    values = json.loads(ledger.to_bytes())
    del values["expired"]
    assert SessionLedger.from_bytes(json.dumps(values).encode()).tally() == ledger.tally()


def test_a_day_of_frames_without_a_gap_takes_few_bytes() -> None:
    ledger = SessionLedger()
    ledger.add(0, 30 * 86_400, "inspected", None)
    assert len(ledger.to_bytes()) < 2_000


def test_a_range_of_all_possible_numbers_is_accepted() -> None:
    ledger = SessionLedger()
    assert ledger.add(0, 2**32 - 1, "shed", "backpressure") == 2**32
    assert ledger.tally().balanced


def test_parts_of_a_session_from_two_partitions_are_one_account() -> None:
    first, second = SessionLedger(), SessionLedger()
    first.add(0, 49, "inspected", None)
    second.add(50, 99, "inspected", None)
    second.saw_captured(100)
    second.end("final")
    tally = SessionLedger.joined([first, second]).tally()
    assert (tally.captured, tally.inspected, tally.lost, tally.balanced) == (100, 100, {}, True)


def test_a_total_adds_up_reasons() -> None:
    one, other = SessionLedger(), SessionLedger()
    one.add(0, 3, "shed", "stale")
    other.add(0, 1, "shed", "stale")
    other.add(2, 2, "quarantined", "undecodable")
    whole = total([one.tally(), other.tally()])
    assert (whole.captured, whole.shed, whole.quarantined) == (7, {"stale": 6}, {"undecodable": 1})
