"""The line's word: the worst that holds, never better than what is known."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import combinations_with_replacement, product

import pytest

from andon.messages import Severity
from sinks.board.line_state import SYMBOLS, BoardAlarm, LineObservation, LineState, Word, line_state
from sinks.board.tiles import Kind, Tile

NOW = datetime(2026, 11, 29, 6, 0, tzinfo=UTC)
EARLIER = NOW - timedelta(minutes=7)
RANK: Sequence[Word] = ("stop", "blind", "attention", "runs")


def a_tile(kind: Kind, since: datetime | None = EARLIER) -> Tile:
    return Tile("press-1", kind, kind, "", since, 0.5, 0.5, "pass", 10.0, 0)


def word(*kinds: Kind, alarms: Sequence[BoardAlarm] | None = ()) -> Word:
    return line_state(LineObservation([a_tile(kind) for kind in kinds], alarms, NOW), None).word


def test_a_line_runs_only_if_every_camera_that_should_deliver_does() -> None:
    assert word("normal", "normal") == "runs"
    assert word("normal", "off") == "runs"


@pytest.mark.parametrize("kind", ["abnormal", "fault", "blind"])
def test_one_camera_that_is_not_right_wants_attention(kind: Kind) -> None:
    assert word("normal", kind) == "attention"


def test_a_line_of_which_no_camera_is_known_is_blind() -> None:
    assert word("blind", "blind", "off") == "blind"


def test_a_line_that_watches_nothing_is_blind() -> None:
    assert word() == "blind"
    assert word("off") == "blind"


def test_a_line_whose_alarms_cannot_be_read_is_blind() -> None:
    assert word("normal", alarms=None) == "blind"


def test_any_alarm_wants_attention_and_a_critical_one_stops() -> None:
    assert word("normal", alarms=[BoardAlarm("minor", EARLIER)]) == "attention"
    assert word("normal", alarms=[BoardAlarm("minor", EARLIER), BoardAlarm("critical", NOW)]) == "stop"


def test_a_critical_alarm_stops_a_line_that_is_blind() -> None:
    assert word("blind", alarms=[BoardAlarm("critical", NOW)]) == "stop"


def test_a_word_keeps_the_moment_at_which_it_began_to_hold() -> None:
    first = line_state(LineObservation([a_tile("normal")], (), EARLIER), None)
    same = line_state(LineObservation([a_tile("normal")], (), NOW), first)
    assert same == first
    other = line_state(LineObservation([a_tile("fault")], (), NOW), same)
    assert (other.word, other.since) == ("attention", NOW)


def test_a_board_that_starts_dates_the_word_by_its_oldest_cause() -> None:
    older = EARLIER - timedelta(hours=1)
    tiles = [a_tile("fault", EARLIER), a_tile("abnormal", older), a_tile("normal", older - timedelta(days=1))]
    assert line_state(LineObservation(tiles, (), NOW), None).since == older


def test_a_board_that_starts_dates_a_running_line_by_the_last_camera_that_came() -> None:
    tiles = [a_tile("normal", EARLIER), a_tile("normal", EARLIER - timedelta(hours=1))]
    assert line_state(LineObservation(tiles, (), NOW), None).since == EARLIER


def test_no_word_began_in_the_future() -> None:
    tiles = [a_tile("normal", NOW + timedelta(hours=1))]
    assert line_state(LineObservation(tiles, (), NOW), None) == LineState("runs", NOW)


KINDS: Sequence[Kind] = ("normal", "abnormal", "fault", "blind", "off")
SEVERITIES: Sequence[Severity] = ("minor", "major", "critical")
LINES = [kinds for number in range(4) for kinds in combinations_with_replacement(KINDS, number)]
ALARMS = [alarms for number in range(3) for alarms in combinations_with_replacement(SEVERITIES, number)]


def standing(severities: Sequence[Severity]) -> list[BoardAlarm]:
    return [BoardAlarm(severity, EARLIER) for severity in severities]


@pytest.mark.parametrize("worse", ["abnormal", "fault", "blind"])
def test_one_more_camera_that_is_not_right_never_makes_the_word_runs(worse: Kind) -> None:
    words = {word(*kinds, worse, alarms=standing(alarms)) for kinds, alarms in product(LINES, ALARMS)}
    assert "runs" not in words


@pytest.mark.parametrize("severity", SEVERITIES)
def test_one_more_alarm_never_makes_the_word_better(severity: Severity) -> None:
    for kinds, alarms in product(LINES, ALARMS):
        with_it = word(*kinds, alarms=standing([*alarms, severity]))
        assert RANK.index(with_it) <= RANK.index(word(*kinds, alarms=standing(alarms)))


def test_every_word_has_a_symbol_of_its_own() -> None:
    assert len(set(SYMBOLS.values())) == len(SYMBOLS) == len(RANK)
