"""What the accounts of capture sessions come to, in numbers."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from andon.messages import Outcome


@dataclass(frozen=True, slots=True)
class Tally:
    """A session's counts. `captured` is the sum of the others without `redelivered`, `conflicts` and `duplicates`."""

    captured: int
    inspected: int
    shed: Mapping[str, int]
    """By reason, like `quarantined`."""
    quarantined: Mapping[str, int]
    lost: Mapping[str, int]
    """By LostReason."""
    in_flight: int
    redelivered: int
    """Frames that came again with the same outcome; they changed nothing."""
    conflicts: int
    """Frames that came again with another outcome; the first outcome stands."""
    duplicates: int
    """Frames under more than one outcome in the stored ledger: 0, unless the store is broken."""
    captured_twice: int = 0
    """Of the captured frames: those of an ingester beside the one that had the camera since."""

    @property
    def balanced(self) -> bool:
        ends = self.inspected + sum(self.shed.values()) + sum(self.quarantined.values())
        return self.duplicates == 0 and self.captured == ends + sum(self.lost.values()) + self.in_flight

    def count(self, outcome: Outcome) -> int:
        if outcome == "inspected":
            return self.inspected
        return sum((self.shed if outcome == "shed" else self.quarantined).values())


class Sums(NamedTuple):
    """A tally's counts without their reasons: cheap enough to compute before and after each record."""

    captured: int
    lost: int
    inspected: int
    shed: int
    quarantined: int


def total(tallies: Iterable[Tally]) -> Tally:
    """The sum of several tallies."""
    shed: Counter[str] = Counter()
    quarantined: Counter[str] = Counter()
    lost: Counter[str] = Counter()
    plain: Counter[str] = Counter()
    for tally in tallies:
        shed.update(tally.shed)
        quarantined.update(tally.quarantined)
        lost.update(tally.lost)
        for name in ("captured", "inspected", "in_flight", "redelivered", "conflicts", "duplicates", "captured_twice"):
            plain[name] += getattr(tally, name)
    return Tally(
        captured=plain["captured"],
        inspected=plain["inspected"],
        shed=dict(shed),
        quarantined=dict(quarantined),
        lost=dict(lost),
        in_flight=plain["in_flight"],
        redelivered=plain["redelivered"],
        conflicts=plain["conflicts"],
        duplicates=plain["duplicates"],
        captured_twice=plain["captured_twice"],
    )
