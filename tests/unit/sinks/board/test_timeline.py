"""A camera's day: each silence is a bar that can be seen, in its place."""

from datetime import timedelta

from sinks.board.timeline import LEAST, WIDTH, timeline
from sinks.judgement.spans import Span
from tests.fakes import START


def a_span(hours_ago: float, hours: float | None) -> Span:
    began = START - timedelta(hours=hours_ago)
    return Span("press-1", began, None if hours is None else began + timedelta(hours=hours), "offline", watched=True)


def test_a_silence_lies_where_it_was() -> None:
    (bar,) = timeline([a_span(12, 2)], START).bars
    assert (bar.x, bar.width) == (WIDTH / 2, 120)


def test_a_silence_that_lasts_reaches_to_now() -> None:
    (bar,) = timeline([a_span(1, None)], START).bars
    assert bar.x + bar.width == WIDTH


def test_what_was_before_the_day_is_cut_off() -> None:
    (bar,) = timeline([a_span(30, 7)], START).bars
    assert (bar.x, bar.width) == (0, 60)
    assert timeline([a_span(30, 5)], START).bars == []


def test_the_shortest_silence_can_be_seen_even_at_the_end() -> None:
    (bar,) = timeline([a_span(0.001, None)], START).bars
    assert (bar.x, bar.width) == (WIDTH - LEAST, LEAST)
