"""The published accuracy (docs/accuracy.md) beside that of a run: each figure within half a point.

A point is a hundredth, of a share or of a mean average precision.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.accuracy.report import Accuracy
from bench.harness.report import Ratio, Report

FIGURES = Path(__file__).parent / "published.json"
FILE = "accuracy.json"
MOST_POINTS = 0.5
KEY = "accuracy_points_lost"
LOWER_IS_BETTER = ("false_rejects", "undecided")


@dataclass(frozen=True, slots=True)
class Difference:
    """A figure, 0 to 1, as published and as measured."""

    figure: str
    published: float
    measured: float

    @property
    def points_lost(self) -> float:
        """Positive where the run was worse."""
        change = 100 * (self.published - self.measured)
        return round(-change if self.figure.startswith(LOWER_IS_BETTER) else change, 2)

    @property
    def verdict(self) -> str:
        if abs(self.points_lost) <= MOST_POINTS:
            return "as published"
        return "worse" if self.points_lost > 0 else "better"

    def row(self) -> dict[str, object]:
        return {
            "figure": self.figure,
            "published": f"{self.published:.3f}",
            "measured": f"{self.measured:.3f}",
            "points lost": f"{self.points_lost:+.1f}",
            "": self.verdict,
        }


def compared_figures(accuracy: Accuracy) -> dict[str, float]:
    """Every figure of docs/accuracy.md, 0 to 1, by its name in published.json."""
    whole = accuracy.confusion
    figures = {"caught": whole.caught, "false_rejects": whole.false_rejects, "undecided": whole.undecided}
    for speed in accuracy.speeds:
        at = speed.parts_per_minute
        figures |= {f"caught at {at}": speed.confusion.caught, f"false_rejects at {at}": speed.confusion.false_rejects}
        figures |= {f"mAP50 at {at}": speed.boxes.map50, f"mAP50-95 at {at}": speed.boxes.map50_95}
    events = accuracy.all_events
    figures |= {"recall of events": events.recall, "precision of events": events.precision}
    figures |= {"mAP50": accuracy.boxes.map50, "mAP50-95": accuracy.boxes.map50_95}
    figures |= {f"mAP50 of {name}": value for name, value in accuracy.boxes.map50_by_class.items()}
    figures |= {f"mAP50-95 of {name}": value for name, value in accuracy.boxes.map50_95_by_class.items()}
    return {name: round(value, 4) for name, value in figures.items()}


def differences(measured: Mapping[str, float]) -> list[Difference]:
    """Of the published figures that were measured."""
    published: dict[str, float] = json.loads(FIGURES.read_bytes())["figures"]
    return [Difference(name, value, measured[name]) for name, value in published.items() if name in measured]


def add_to(report: Report, folder: Path) -> None:
    """Add what `make bench-accuracy` left in `folder`, if it is there: `make bench` shows all aims in one table."""
    try:
        document: dict[str, Any] = json.loads((folder / FILE).read_bytes())
        found = differences(document["compared"])
    except (FileNotFoundError, KeyError, ValueError):
        report.failed[KEY] = "run make bench-accuracy before make bench"
        return
    off = [each.row() for each in found if each.verdict != "as published"]
    rows = off or [{"figures": len(found), "": f"all within {MOST_POINTS} points of the published"}]
    about = {name: document[name] for name in ("served", "seconds")} | {"commit": document["machine"]["commit"]}
    title = "accuracy: make bench-accuracy of commit {commit}, served {served}, {seconds:.0f} s".format(**about)
    report.ratios[KEY] = Ratio(KEY, max((each.points_lost for each in found), default=0.0))
    report.figures["accuracy"] = about
    report.tables["accuracy"] = {title: rows}
