"""Contenders in turn, A B A B, so that other load on the machine meets all of them; medians of pairs (pure)."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

T = TypeVar("T")
MOST_SPREAD = 0.1


def interleave(contenders: Mapping[str, Callable[[], T]], rounds: int) -> dict[str, list[T]]:
    """Run each contender once a round, in the mapping's order. Returns each contender's results by round.

    An error of a contender propagates.
    """
    results: dict[str, list[T]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, run in contenders.items():
            results[name].append(run())
    return results


def steady(
    contenders: Mapping[str, Callable[[], T]], rounds: int, value: Callable[[T], float], say: Callable[[str], None]
) -> dict[str, list[T]]:
    """`interleave`; where a contender's values scatter by more than MOST_SPREAD, all run once more, and that is said.

    The first rounds count, too: a median needs no selection.
    """
    results = interleave(contenders, rounds)
    scattered = {name: spread for name, spread in _spreads(results, value).items() if spread > MOST_SPREAD}
    if not scattered:
        return results
    shown = ", ".join(f"{name} {spread:.0%}" for name, spread in scattered.items())
    say(f"the rounds scatter by more than {MOST_SPREAD:.0%} ({shown}): all contenders run again")
    again = interleave(contenders, rounds)
    return {name: [*done, *again[name]] for name, done in results.items()}


def _spreads(results: Mapping[str, Sequence[T]], value: Callable[[T], float]) -> dict[str, float]:
    return {name: relative_spread([value(one) for one in done]) for name, done in results.items() if len(done) > 1}


def median_ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """The median of the rounds' ratios. The two runs of a pair are next to each other in time.

    Raises ValueError if there is no round, or if the numbers of rounds differ.
    """
    if not ours:
        raise ValueError("no round was run")
    return statistics.median(mine / other for mine, other in zip(ours, theirs, strict=True))


def relative_spread(values: Sequence[float]) -> float:
    """(highest - lowest) ÷ median."""
    return (max(values) - min(values)) / statistics.median(values)
