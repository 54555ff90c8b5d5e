"""Contenders run in turn."""

from functools import partial

import pytest

from bench.harness.rounds import Patience, Rounds, Turns, median_ratio, relative_spread


def turns(rounds: int, lines: list[str], left_s: float = 1e9) -> Turns:
    return Turns(rounds, lines.append, Patience(left_s), lambda: 0.25)


def test_contenders_take_turns_and_what_else_runs_is_looked_at_before_each() -> None:
    order: list[str] = []

    def runs(name: str) -> int:
        order.append(name)
        return len(order)

    def looks() -> float:
        order.append("load")
        return 0.5

    contenders = {"a": lambda: runs("a"), "b": lambda: runs("b")}
    done = Turns(2, lambda _: None, Patience(0.0), looks).run(contenders, float, "frames/s")
    assert order == ["load", "a", "load", "b"] * 2
    assert done.results == {"a": [2, 6], "b": [4, 8]}
    assert done.busy_before == {"a": [0.5, 0.5], "b": [0.5, 0.5]}


def test_the_ratio_is_the_median_of_the_rounds_ratios() -> None:
    # the machine is slow in the second round, for both
    assert median_ratio([90.0, 45.0, 80.0], [100.0, 50.0, 100.0]) == pytest.approx(0.9)


def test_a_ratio_needs_the_same_number_of_rounds_of_each() -> None:
    with pytest.raises(ValueError, match="argument"):
        median_ratio([1.0, 2.0], [1.0])


def test_a_ratio_needs_a_round() -> None:
    with pytest.raises(ValueError, match="no round"):
        median_ratio([], [])


def test_the_spread_is_relative_to_the_median() -> None:
    assert relative_spread([90.0, 100.0, 120.0]) == pytest.approx(0.3)


def test_rounds_that_scatter_get_one_more_and_it_is_said() -> None:
    values = {"quiet": iter([1.0, 1.05, 1.0]), "loud": iter([1.0, 1.5, 1.2])}
    lines: list[str] = []
    contenders = {name: partial(next, numbers) for name, numbers in values.items()}
    done = turns(2, lines).run(contenders, float, "frames/s")
    assert done.results == {"quiet": [1.0, 1.05, 1.0], "loud": [1.0, 1.5, 1.2]}
    assert lines == ["the rounds scatter by more than 10% (loud 40%): all contenders run once more"]
    quiet, loud = done.rows()
    assert (quiet[""], loud[""]) == ("", "scatters; ran once more, all rounds count")
    assert loud["frames/s, by round"] == "1  1.5  1.2"
    assert loud["cores busy before"] == "0.2  0.2  0.2"


def test_rounds_that_scatter_are_not_run_again_if_the_time_for_it_is_spent() -> None:
    lines: list[str] = []
    numbers = iter([1.0, 1.5])
    done = turns(2, lines, left_s=0.0).run({"loud": lambda: next(numbers)}, float, "frames/s")
    assert done.results == {"loud": [1.0, 1.5]}
    assert lines == ["the rounds scatter by more than 10% (loud 40%): no time is left to run again"]
    assert done.rows()[0][""] == "scatters; no time to run again"


def test_patience_is_spent_once_by_all_measurements_together() -> None:
    patience = Patience(100.0)
    assert [patience.grant(60.0), patience.grant(60.0), patience.grant(40.0)] == [True, False, True]


def test_rounds_that_agree_and_a_single_one_are_not_repeated() -> None:
    lines: list[str] = []
    assert turns(3, lines).run({"a": lambda: 2.0}, float, "ms").results == {"a": [2.0] * 3}
    assert turns(1, lines).run({"a": lambda: 2.0}, float, "ms").results == {"a": [2.0]}
    assert lines == []


def test_a_ratio_of_rounds_says_how_far_its_contenders_scatter() -> None:
    done = Rounds({"line": [11.0, 10.0, 12.0], "bare": [10.0, 10.0, 10.0]}, {}, float, "ms")
    assert done.ratio("line", "bare") == pytest.approx(1.1)
    assert done.spread("line", "bare") == pytest.approx(2 / 11)
    assert done.median("line") == 11.0
