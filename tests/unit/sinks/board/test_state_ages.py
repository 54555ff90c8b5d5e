"""The age of news is measured on the board's own clock."""

from dataclasses import replace
from datetime import timedelta

import pytest

from andon.cameras.live import state_of
from sinks.board.state_ages import StateAges
from tests.fakes import START, FakeClock

STATE = state_of({"state": "online", "updated_at": START.isoformat()})


def test_news_age_until_the_next_ones_come() -> None:
    clock = FakeClock()
    ages = StateAges(clock)
    ages.of({"press-1": STATE})
    clock.advance(7)
    assert ages.of({"press-1": STATE})["press-1"].age_s == pytest.approx(7)
    newer = replace(STATE, updated_at=START + timedelta(seconds=1))
    assert ages.of({"press-1": newer})["press-1"].age_s == 0


def test_what_stood_there_before_the_board_started_is_dated_by_the_sinks_clock() -> None:
    clock = FakeClock()
    clock.advance(60)
    assert StateAges(clock).of({"press-1": STATE})["press-1"].age_s == pytest.approx(60)


def test_a_sink_whose_clock_runs_ahead_brings_no_news_from_the_future() -> None:
    ahead = replace(STATE, updated_at=START + timedelta(hours=1))
    assert StateAges(FakeClock()).of({"press-1": ahead})["press-1"].age_s == 0


def test_a_camera_that_went_is_forgotten() -> None:
    clock = FakeClock()
    ages = StateAges(clock)
    ages.of({"press-1": STATE})
    assert ages.of({}) == {}
    clock.advance(5)
    assert ages.of({"press-1": STATE})["press-1"].age_s == pytest.approx(5)
