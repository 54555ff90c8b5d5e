"""Contenders run in turn."""

import pytest

from bench.harness.rounds import interleave, median_ratio, relative_spread


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
