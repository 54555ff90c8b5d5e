"""Contenders run in turn."""

from functools import partial

import pytest

from bench.harness.rounds import interleave, median_ratio, relative_spread, steady


def test_contenders_take_turns() -> None:
    order: list[str] = []

    def runs(name: str) -> int:
        order.append(name)
        return len(order)

    results = interleave({"a": lambda: runs("a"), "b": lambda: runs("b")}, 3)
    assert order == ["a", "b"] * 3
    assert results == {"a": [1, 3, 5], "b": [2, 4, 6]}


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


def test_rounds_that_scatter_are_run_again_and_it_is_said() -> None:
    values = {"quiet": iter([1.0, 1.05, 1.0, 1.0]), "loud": iter([1.0, 1.5, 1.2, 1.1])}
    said: list[str] = []
    contenders = {name: partial(next, numbers) for name, numbers in values.items()}
    done = steady(contenders, 2, float, said.append)
    assert done == {"quiet": [1.0, 1.05, 1.0, 1.0], "loud": [1.0, 1.5, 1.2, 1.1]}
    assert said == ["the rounds scatter by more than 10% (loud 40%): all contenders run again"]


def test_rounds_that_agree_and_a_single_one_are_not_repeated() -> None:
    said: list[str] = []
    assert steady({"a": lambda: 2.0}, 3, float, said.append) == {"a": [2.0] * 3}
    assert steady({"a": lambda: 2.0}, 1, float, said.append) == {"a": [2.0]}
    assert said == []
