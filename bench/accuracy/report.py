"""The result of a run, as `accuracy.json` and as tables (pure)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any, get_args

from andon.messages import PartOutcome
from bench.accuracy.event_score import Events
from bench.accuracy.verdict_matching import DECISIONS, Confusion, ScoredPart, confusion
from bench.harness.aims import Aim
from sample_streams.spec import DEFECTS
from workers.runtimes.manifest import ModelMetrics

MOST_LOSS_AT_SPEED = 0.01
"""The share caught at the slowest speed may exceed that at the fastest by this much."""
AIMS = (
    Aim("parts", "parts that passed", "higher", 500),
    Aim("caught", "bad parts that were rejected", "higher", 0.98),
    Aim("false_rejects", "good parts that were rejected", "lower", 0.01),
    Aim("worse_at_speed", "caught at the slowest speed less caught at the fastest", "lower", MOST_LOSS_AT_SPEED),
)


@dataclass(frozen=True, slots=True)
class Speed:
    """The results at one speed, in parts a minute."""

    parts_per_minute: int
    parts: Sequence[ScoredPart]
    ghosts: Sequence[PartOutcome]
    """The verdicts that belong to no real part."""
    events: Mapping[str, Events]
    boxes: ModelMetrics

    @property
    def confusion(self) -> Confusion:
        return confusion(self.parts)


@dataclass(frozen=True, slots=True)
class Accuracy:
    """The whole run. `boxes` is over all frames of all speeds."""

    speeds: Sequence[Speed]
    boxes: ModelMetrics

    @property
    def confusion(self) -> Confusion:
        return confusion([part for speed in self.speeds for part in speed.parts])

    @property
    def ghosts(self) -> Sequence[PartOutcome]:
        return [ghost for speed in self.speeds for ghost in speed.ghosts]

    @property
    def worse_at_speed(self) -> float:
        slowest, fastest = self.speeds[0].confusion, self.speeds[-1].confusion
        return slowest.caught - fastest.caught

    def events(self, label: str) -> Events:
        return reduce(add, (speed.events.get(label, Events(0, 0, 0)) for speed in self.speeds))

    @property
    def all_events(self) -> Events:
        return reduce(add, (_total(speed.events) for speed in self.speeds))

    def figures(self) -> dict[str, float]:
        """The figures that have aims, by AIMS' keys."""
        whole = self.confusion
        return {
            "parts": whole.parts,
            "caught": round(whole.caught, 4),
            "false_rejects": round(whole.false_rejects, 4),
            "worse_at_speed": round(self.worse_at_speed, 4),
        }

    def as_json(self) -> dict[str, Any]:
        """All values are fractions, except the counts of parts and of events."""
        figures = self.figures()
        by_speed = {f"caught_{one.parts_per_minute}": round(one.confusion.caught, 4) for one in self.speeds}
        return {
            **figures,
            **by_speed,
            "undecided": round(self.confusion.undecided, 4),
            "ghosts": _count_outcomes(self.ghosts),
            "met": {aim.key: aim.met(figures[aim.key]) for aim in AIMS},
            "confusion": _matrix(self.confusion),
            "boxes": self.boxes.model_dump(),
            "events": {name: _rates(self.events(name)) for name in DEFECTS} | {"all": _rates(self.all_events)},
            "speeds": {str(speed.parts_per_minute): _speed(speed) for speed in self.speeds},
        }

    def tables(self) -> dict[str, list[dict[str, object]]]:
        """Title -> rows."""
        rows = [_verdict_row(str(one.parts_per_minute), one.confusion, one.ghosts) for one in self.speeds]
        rows.append(_verdict_row("all", self.confusion, self.ghosts))
        classes = [self._class_row(name) for name in DEFECTS]
        classes.append({"class": "part", **self._map("part")})
        every = _event_row(self.all_events)
        classes.append({"class": "all", **every, "mAP50": self.boxes.map50, "mAP50-95": self.boxes.map50_95})
        speeds = [
            {
                "parts a minute": str(one.parts_per_minute),
                **_event_row(_total(one.events)),
                "mAP50": one.boxes.map50,
                "mAP50-95": one.boxes.map50_95,
            }
            for one in self.speeds
        ]
        return {
            "parts: truth and verdict": rows,
            "defect events and boxes, by class": classes,
            "defect events and boxes, by speed": speeds,
        }

    def _class_row(self, name: str) -> dict[str, object]:
        return {"class": name, **_event_row(self.events(name)), **self._map(name)}

    def _map(self, name: str) -> dict[str, object]:
        return {
            "mAP50": self.boxes.map50_by_class.get(name),
            "mAP50-95": self.boxes.map50_95_by_class.get(name),
        }


def _total(events: Mapping[str, Events]) -> Events:
    return reduce(add, events.values(), Events(0, 0, 0))


def _verdict_row(name: str, matrix: Confusion, ghosts: Sequence[PartOutcome]) -> dict[str, object]:
    row: dict[str, object] = {"parts a minute": name, "parts": matrix.parts}
    row |= {f"bad: {decision}": matrix.bad[decision] for decision in DECISIONS}
    row |= {f"good: {decision}": matrix.good[decision] for decision in DECISIONS}
    row |= {"ghosts": len(ghosts), "of them reject": ghosts.count("reject")}
    return row | {"caught": percent(matrix.caught), "false rejects": percent(matrix.false_rejects)}


def _event_row(events: Events) -> dict[str, object]:
    return {
        "real": events.real,
        "reported": events.reported,
        "false": events.false,
        "recall": percent(events.recall),
        "precision": percent(events.precision),
    }


def percent(share: float) -> str:
    """A percentage for the tables."""
    return f"{100 * share:.1f} %"


def _speed(speed: Speed) -> dict[str, Any]:
    matrix = speed.confusion
    return {
        "parts": matrix.parts,
        "caught": round(matrix.caught, 4),
        "false_rejects": round(matrix.false_rejects, 4),
        "undecided": round(matrix.undecided, 4),
        "ghosts": _count_outcomes(speed.ghosts),
        "confusion": _matrix(matrix),
        "events": {name: _rates(events) for name, events in speed.events.items()},
        "boxes": speed.boxes.model_dump(),
    }


def _count_outcomes(ghosts: Sequence[PartOutcome]) -> dict[str, int]:
    return {decision: ghosts.count(decision) for decision in get_args(PartOutcome)}


def _matrix(matrix: Confusion) -> dict[str, dict[str, int]]:
    return {
        "bad": {str(name): n for name, n in matrix.bad.items()},
        "good": {str(name): n for name, n in matrix.good.items()},
    }


def _rates(events: Events) -> dict[str, float]:
    rates = {"precision": round(events.precision, 4), "recall": round(events.recall, 4)}
    return {"real": events.real, "reported": events.reported, "false": events.false, **rates}
