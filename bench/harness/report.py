"""The report of a run: ratios beside their aims, the figures they came from, and what could not be measured.

It is written after each measurement, so that a failure loses only the measurement that failed.
"""

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.harness.aims import KEYS, Aim, aims
from bench.harness.plots import Plot

FILE = "report.json"
SAME = ("commit", "cpu", "cores", "vector_units", "gpu", "memory_gb", "python", "versions", "broker", "quick")
"""What a run must have in common with the one that it goes on with."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """The measured value of one of KEYS, and the figures (names with units) it came from."""

    key: str
    value: float
    came_from: Mapping[str, float] = field(default_factory=dict)
    spread: float | None = None
    """Of its contenders' rounds, (highest - lowest) ÷ median. None: it has no rounds."""


@dataclass(frozen=True, slots=True)
class Findings:
    """What one measurement returns. `figures` is JSON (names carry units); `failed` maps a ratio's key to the reason.

    `tables` appear below the figures: title -> rows, each a mapping of column -> number or text.
    """

    ratios: Sequence[Ratio] = ()
    figures: Mapping[str, Any] = field(default_factory=dict)
    tables: Mapping[str, Sequence[Mapping[str, object]]] = field(default_factory=dict)
    plots: Sequence[Plot] = ()
    failed: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Course:
    """How a measurement went: its duration, and the cores that other work kept busy before it."""

    seconds: float
    busy_before: float = 0.0


@dataclass(slots=True, eq=False)
class Report:
    """Collects findings in the order of the run. `machine` is written as it is."""

    machine: Mapping[str, Any]
    ratios: dict[str, Ratio] = field(default_factory=dict)
    figures: dict[str, Any] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    tables: dict[str, Mapping[str, Sequence[Mapping[str, object]]]] = field(default_factory=dict)
    """By measurement."""
    courses: dict[str, Course] = field(default_factory=dict)

    @property
    def aims(self) -> tuple[Aim, ...]:
        return aims(self.machine.get("vector_units", ()))

    def add(self, name: str, findings: Findings, course: Course) -> None:
        """Add the findings of the measurement `name`. Raises ValueError for a ratio that has no aim."""
        unknown = {ratio.key for ratio in findings.ratios} - set(KEYS)
        if unknown:
            raise ValueError(f"{name}: no such ratio: {', '.join(sorted(unknown))}")
        self.ratios |= {ratio.key: ratio for ratio in findings.ratios}
        self.figures[name] = dict(findings.figures)
        self.failed |= findings.failed
        self.tables[name] = findings.tables
        self.courses[name] = course

    def fail(self, name: str, keys: Sequence[str], reason: str, course: Course) -> None:
        """Record that the measurement `name`, which gives the ratios `keys`, ended in an error."""
        self.failed |= dict.fromkeys(keys or (name,), reason)
        self.courses[name] = course

    def as_json(self) -> dict[str, Any]:
        """`ratios` has a key for each aim. It is null if the ratio was not measured; `failed` then has the reason."""
        values = {key: self.ratios[key].value if key in self.ratios else None for key in KEYS}
        missing = {key: "not measured in this run" for key, value in values.items() if value is None}
        measured = [aim for aim in self.aims if aim.key in self.ratios]
        return {
            "ratios": values,
            "aims": {aim.key: aim.shown for aim in self.aims},
            "met": {aim.key: aim.met(self.ratios[aim.key].value) for aim in measured},
            "verdicts": {aim.key: aim.verdict(self.ratios[aim.key].value) for aim in measured},
            "came_from": {key: dict(ratio.came_from) for key, ratio in self.ratios.items()},
            "spreads": {key: ratio.spread for key, ratio in self.ratios.items()},
            "figures": self.figures,
            "tables": self.tables,
            "failed": missing | self.failed,
            "machine": dict(self.machine),
            "seconds": {name: course.seconds for name, course in self.courses.items()},
            "cores_busy_before": {name: course.busy_before for name, course in self.courses.items()},
        }

    def write(self, folder: Path) -> Path:
        """Write report.json into the existing `folder`, whole or not at all."""
        path, draft = folder / FILE, folder / f"{FILE}.draft"
        draft.write_text(json.dumps(self.as_json(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        os.replace(draft, path)
        return path

    def resume(self, document: Mapping[str, Any], keys: Mapping[str, Sequence[str]]) -> list[str]:
        """Take over the measurements that an earlier run of the same kind finished. Returns their names.

        `keys`: the ratios of each measurement; one that lacks a ratio has not finished. Raises ValueError if the
        earlier run was of another commit, machine or broker.
        """
        other = [name for name in SAME if document["machine"].get(name) != self.machine.get(name)]
        if other:
            raise ValueError(f"it differs in {', '.join(other)}")
        done = [
            name for name in document["figures"] if name in keys and not {name, *keys[name]} & set(document["failed"])
        ]
        for name in done:
            ratios = [
                Ratio(key, document["ratios"][key], document["came_from"][key], document["spreads"][key])
                for key in keys[name]
            ]
            findings = Findings(ratios, document["figures"][name], document["tables"].get(name, {}))
            self.add(name, findings, Course(document["seconds"][name], document["cores_busy_before"][name]))
        return done
