"""A tile never looks better than the newest news of its camera."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from andon.cameras.live import LiveState
from sinks.board.tiles import BEHIND_S, SYMBOLS, AgedState, tile

NOW = datetime(2026, 11, 29, 6, 0, tzinfo=UTC)
ONLINE = LiveState(
    state="online",
    state_since=NOW - timedelta(hours=1),
    detail="",
    session="s",
    captured=10,
    fps=10.0,
    last_frame="press-1/s/9",
    last_frame_at=NOW - timedelta(seconds=0.2),
    last_verdict="pass",
    open_defects=1,
    ingester="host-1",
    updated_at=NOW,
)


def test_a_camera_that_delivers_is_normal_and_shows_its_verdict() -> None:
    shown = tile("press-1", AgedState(ONLINE, 0.5), 3.0)
    assert (shown.kind, shown.symbol, shown.state, shown.verdict) == ("normal", "●", "online", "pass")
    assert shown.frame_age_s == pytest.approx(0.7)


def test_a_camera_without_news_is_blind_and_its_old_verdict_is_gone() -> None:
    shown = tile("press-1", AgedState(ONLINE, 3.1), 3.0)
    assert (shown.kind, shown.state, shown.verdict) == ("blind", "blind", "unknown")
    assert shown.heard_s == 3.1


def test_a_camera_that_was_never_heard_of_is_blind() -> None:
    shown = tile("press-1", None, 3.0)
    assert (shown.kind, shown.heard_s, shown.verdict) == ("blind", None, "unknown")


@pytest.mark.parametrize("state", ["offline", "stalled"])
def test_a_camera_that_delivers_nothing_is_at_fault(state: str) -> None:
    assert tile("press-1", AgedState(replace(ONLINE, state=state), 0.5), 3.0).kind == "fault"


@pytest.mark.parametrize("state", ["connecting", "frozen", "dark", "overexposed", "blurred", "stopped"])
def test_a_camera_whose_pictures_prove_nothing_is_abnormal(state: str) -> None:
    assert tile("press-1", AgedState(replace(ONLINE, state=state), 0.5), 3.0).kind == "abnormal"


def test_a_state_that_this_board_does_not_know_is_never_taken_for_a_good_one() -> None:
    assert tile("press-1", AgedState(replace(ONLINE, state="asleep"), 0.5), 3.0).kind == "blind"


def test_an_old_frame_is_the_past_although_news_come() -> None:
    old = replace(ONLINE, last_frame_at=NOW - timedelta(seconds=BEHIND_S + 1))
    assert (tile("press-1", AgedState(old, 0.0), 3.0).kind, tile("press-1", AgedState(old, 0.0), 3.0).state) == (
        "abnormal",
        "behind",
    )


def test_a_disabled_camera_is_off_whatever_was_last_heard_of_it() -> None:
    assert tile("press-1", AgedState(ONLINE, 0.0), 3.0, enabled=False).kind == "off"
    assert tile("press-1", None, 3.0, enabled=False).kind == "off"


def test_a_camera_whose_clock_runs_ahead_has_no_frame_of_a_negative_age() -> None:
    ahead = replace(ONLINE, last_frame_at=NOW + timedelta(hours=2))
    assert AgedState(ahead, 0.4).frame_age_s == pytest.approx(0.4)


def test_every_kind_has_a_symbol_of_its_own() -> None:
    assert len(set(SYMBOLS.values())) == len(SYMBOLS)
