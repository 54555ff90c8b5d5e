"""The report of a run: ratios beside their aims, the figures they came from, and what could not be measured."""

import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from rich.console import Console
from rich.table import Table

from bench.harness.plots import Plot


@dataclass(frozen=True, slots=True)
class Aim:
    """The aim of a ratio. `better` says on which side of `limit` it has to be; a ratio that equals it meets it."""

    key: str
    what: str
    better: Literal["higher", "lower"]
    limit: float

    def met(self, value: float) -> bool:
        return value >= self.limit if self.better == "higher" else value <= self.limit

    @property
    def shown(self) -> str:
        return f"{'≥' if self.better == 'higher' else '≤'} {self.limit:g}"


AIMS = (
    Aim("worker_vs_bare", "worker draining a topic ÷ bare loop, frames/s", "higher", 0.92),
    Aim("ingest_passthrough_vs_jpeg", "ingest's CPU a frame, 1080p: passed through ÷ as JPEG", "lower", 0.05),
    Aim(
        "line_vs_decode_plus_inference_plant", "line's CPU a frame ÷ (bare decoding + inference), plant", "lower", 1.10
    ),
    Aim("line_vs_decode_plus_inference_demo", "the same, demo", "lower", 1.25),
    Aim("bytes_passthrough_vs_jpeg", "bytes on the wire, 1080p: passed through ÷ as JPEG", "lower", 0.25),
    Aim("latency_passthrough_minus_jpeg", "p50 capture→inspection: passed through less as JPEG, ms", "lower", 0.0),
    Aim("line_vs_predict_pt", "line's frames per CPU second ÷ ultralytics predict's, .pt", "higher", 1.7),
    Aim("line_vs_predict_best", "the same, predict with its best export", "higher", 1.1),
    Aim("worker_vs_tutorial_pt", "worker's frames per CPU second ÷ tutorial consumer's, .pt", "higher", 2.5),
    Aim("worker_vs_tutorial_same_model", "the same, tutorial with the same exported model", "higher", 1.3),
    Aim("scaling_8_workers", "8 simulated workers ÷ 8 times one", "higher", 0.95),
    Aim("spike_drain_vs_ideal", "100-fold spike: drain time ÷ ideal, nothing lost", "lower", 1.1),
    Aim("spike_scaled_drain_vs_ideal", "the same with 1 to 4 workers by the lag: time ÷ ideal", "lower", 1.2),
    Aim("spike_scaled_p99_after_s", "p99 capture→inspection after that spike, s", "lower", 1.0),
    Aim("p99_vs_window_plus_inference", "p99 capture→inspection at 70 % ÷ (window + inference)", "lower", 3.0),
    Aim("cost_64_vs_4_cameras", "cost a frame at 64 cameras ÷ at 4", "lower", 1.1),
    Aim("memory_mb_per_100k_frames", "memory grown over 150,000 frames, MB for 100,000", "lower", 5.0),
)


@dataclass(frozen=True, slots=True)
class Ratio:
    """The measured value of one of AIMS' keys, and the figures (names with units) it came from."""

    key: str
    value: float
    came_from: Mapping[str, float] = field(default_factory=dict)


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


@dataclass(slots=True, eq=False)
class Report:
    """Collects findings in the order of the run. `machine` is written as it is."""

    machine: Mapping[str, Any]
    ratios: dict[str, Ratio] = field(default_factory=dict)
    figures: dict[str, Any] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    tables: dict[str, Sequence[Mapping[str, object]]] = field(default_factory=dict)
    plots: list[Plot] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)

    def add(self, name: str, findings: Findings, seconds: float) -> None:
        """Add the findings of the measurement `name`. Raises ValueError for a ratio that has no aim."""
        unknown = {ratio.key for ratio in findings.ratios} - {aim.key for aim in AIMS}
        if unknown:
            raise ValueError(f"{name}: no such ratio: {', '.join(sorted(unknown))}")
        self.ratios |= {ratio.key: ratio for ratio in findings.ratios}
        self.figures[name] = {**findings.figures, **{key: list(rows) for key, rows in findings.tables.items()}}
        self.failed |= findings.failed
        self.tables |= findings.tables
        self.plots += findings.plots
        self.seconds[name] = round(seconds, 1)

    def fail(self, name: str, keys: Sequence[str], reason: str, seconds: float) -> None:
        """Record that the measurement `name`, which gives the ratios `keys`, ended in an error."""
        self.failed |= dict.fromkeys(keys or (name,), reason)
        self.seconds[name] = round(seconds, 1)

    def as_json(self) -> dict[str, Any]:
        """`ratios` has a key for each aim. It is null if the ratio was not measured; `failed` then has the reason."""
        values = {aim.key: self.ratios[aim.key].value if aim.key in self.ratios else None for aim in AIMS}
        missing = {key: "not measured in this run" for key, value in values.items() if value is None}
        return {
            "ratios": values,
            "aims": {aim.key: aim.shown for aim in AIMS},
            "met": {aim.key: aim.met(self.ratios[aim.key].value) for aim in AIMS if aim.key in self.ratios},
            "came_from": {key: dict(ratio.came_from) for key, ratio in self.ratios.items()},
            "figures": self.figures,
            "failed": missing | self.failed,
            "machine": dict(self.machine),
            "seconds": self.seconds,
        }

    def write(self, folder: Path) -> Path:
        """Write report.json into the existing `folder`."""
        path = folder / "report.json"
        path.write_text(json.dumps(self.as_json(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        return path

    def show(self, console: Console) -> None:
        """Print tables for people."""
        for title, rows in self.tables.items():
            console.print(rows_table(title, rows))
        table = Table(title=f"on {platform.node() or 'this machine'}")
        for column in ("ratio", "what", "aim", "measured", ""):
            table.add_column(column, no_wrap=column != "what")
        for aim in AIMS:
            ratio = self.ratios.get(aim.key)
            verdict = "" if ratio is None else "[green]met[/]" if aim.met(ratio.value) else "[red]missed[/]"
            table.add_row(aim.key, aim.what, aim.shown, "-" if ratio is None else f"{ratio.value:.3f}", verdict)
        console.print(table)
        for key, reason in self.failed.items():
            console.print(f"FAILED {key}: {reason}", style="bold red", markup=False, highlight=False)


def rows_table(title: str, rows: Sequence[Mapping[str, object]]) -> Table:
    """A table for people, with a column for each key of any row. The first column names the row."""
    columns = list(dict.fromkeys(column for row in rows for column in row))
    table = Table(title=title)
    for column in columns:
        table.add_column(column, justify="left" if column == columns[0] else "right")
    for row in rows:
        table.add_row(*(_cell(row.get(column)) for column in columns))
    return table


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if not isinstance(value, float):
        return str(value)
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"
