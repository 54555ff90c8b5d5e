"""A B A B: contenders in turn, so that what else the machine does meets them all; medians of pairs (pure)."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

T = TypeVar("T")


def in_turn(contenders: Mapping[str, Callable[[], T]], rounds: int) -> dict[str, list[T]]:
    """Run each contender once a round, in the mapping's order. Returns each one's results, round by round.

    Raises what a contender raises.
    """
    results: dict[str, list[T]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, run in contenders.items():
            results[name].append(run())
    return results


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of the rounds' ratios: a pair stood next to each other in time.

    Raises ValueError where there is no round, or they have not as many.
    """
    if not ours:
        raise ValueError("no round was run")
    return statistics.median(mine / other for mine, other in zip(ours, theirs, strict=True))


def spread(values: Sequence[float]) -> float:
    """(highest - lowest) ÷ median: how far the rounds are apart."""
    return (max(values) - min(values)) / statistics.median(values)
