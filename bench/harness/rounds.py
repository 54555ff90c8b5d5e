"""Contenders in turn, A B A B, so that other load on the machine meets all of them; medians of pairs (pure)."""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Generic, TypeVar

from bench.harness.other_load import busy_cores

T = TypeVar("T")
MOST_SPREAD = 0.1


@dataclass(frozen=True, slots=True)
class Rounds(Generic[T]):
    """Each contender's results by round, and the cores that were busy just before each of them."""

    results: Mapping[str, list[T]]
    busy_before: Mapping[str, list[float]]
    value: Callable[[T], float]
    """The figure that the ratios are made of."""
    unit: str
    """Of that figure."""
    note: str = ""
    """What became of rounds that scattered. Empty: they did not."""

    def values(self, name: str) -> list[float]:
        return [self.value(each) for each in self.results[name]]

    @property
    def spreads(self) -> dict[str, float]:
        """`relative_spread` of each contender."""
        return {name: relative_spread(self.values(name)) for name in self.results}

    def spread(self, *names: str) -> float:
        """The greatest of these contenders: it says how far to trust a ratio of them."""
        return max(self.spreads[name] for name in names)

    def median(self, name: str) -> T:
        """The round with the median value. All its figures are of one round, so they fit together."""
        return sorted(self.results[name], key=self.value)[len(self.results[name]) // 2]

    def ratio(self, ours: str, theirs: str) -> float:
        return median_ratio(self.values(ours), self.values(theirs))

    def figures(self) -> dict[str, object]:
        """For report.json."""
        return {
            "rounds": {name: self.values(name) for name in self.results},
            "rounds_unit": self.unit,
            "spread_of_rounds": self.spreads,
            "cores_busy_before": {name: list(busy) for name, busy in self.busy_before.items()},
            "rounds_note": self.note,
        }

    def rows(self) -> list[dict[str, object]]:
        """A row for each contender."""
        return [
            {
                "contender": name,
                f"{self.unit}, by round": "  ".join(f"{value:.4g}" for value in self.values(name)),
                "spread": f"{spread:.0%}",
                "cores busy before": "  ".join(f"{busy:.1f}" for busy in self.busy_before[name]),
                "": self.note if spread > MOST_SPREAD else "",
            }
            for name, spread in self.spreads.items()
        ]


@dataclass(slots=True)
class Patience:
    """The seconds that a run may spend on rounds that scattered, all measurements together."""

    left_s: float

    def grant(self, seconds: float) -> bool:
        """Whether there is as much left. Then it is spent."""
        if seconds > self.left_s:
            return False
        self.left_s -= seconds
        return True


@dataclass(frozen=True, slots=True)
class Turns:
    """How the contenders of a measurement take turns."""

    rounds: int
    say: Callable[[str], None]
    patience: Patience = field(default_factory=lambda: Patience(float("inf")))
    busy: Callable[[], float] = busy_cores

    def run(self, contenders: Mapping[str, Callable[[], T]], value: Callable[[T], float], unit: str) -> Rounds[T]:
        """Run each contender once a round, in the mapping's order. An error of a contender propagates.

        Where a contender's values scatter by more than MOST_SPREAD, there is one more round if there is time for it,
        and that is said. The first rounds count, too: a median needs no selection.
        """
        began = time.monotonic()
        done: Rounds[T] = Rounds({name: [] for name in contenders}, {name: [] for name in contenders}, value, unit)
        for _ in range(self.rounds):
            self._add_round(contenders, done)
        scattered = {name: spread for name, spread in done.spreads.items() if spread > MOST_SPREAD}
        if not scattered:
            return done
        shown = ", ".join(f"{name} {spread:.0%}" for name, spread in scattered.items())
        may_repeat = self.patience.grant((time.monotonic() - began) / self.rounds)
        what_now = "all contenders run once more" if may_repeat else "no time is left to run again"
        self.say(f"the rounds scatter by more than {MOST_SPREAD:.0%} ({shown}): {what_now}")
        if may_repeat:
            self._add_round(contenders, done)
        note = "scatters; ran once more, all rounds count" if may_repeat else "scatters; no time to run again"
        return replace(done, note=note)

    def _add_round(self, contenders: Mapping[str, Callable[[], T]], done: "Rounds[T]") -> None:
        for name, run in contenders.items():
            done.busy_before[name].append(self.busy())
            done.results[name].append(run())


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
