"""The demo's report: account, latencies, score and evidence."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from sample_streams.observer import Observer, percentile
from sample_streams.score import Score

OUTCOMES = ("inspected", "shed", "quarantined", "lost", "in_flight")
LEDGER = ("captured", *OUTCOMES, "duplicates")
PERCENTILES = (50, 95, 99)


@dataclass(frozen=True, slots=True)
class Report:
    """`ledger` has the keys of LEDGER, `latency_ms` those of PERCENTILES (`p50`, ...) for each kind."""

    ledger: Mapping[str, int]
    latency_ms: Mapping[str, Mapping[str, float | None]]
    score: Score
    evidence: Sequence[Path]
    fps: float
    seconds: float

    @property
    def balanced(self) -> bool:
        """Every captured frame has exactly one outcome."""
        ends = sum(self.ledger[key] for key in OUTCOMES)
        return self.ledger["captured"] == ends and not self.ledger["duplicates"]

    @property
    def failures(self) -> list[str]:
        """Why the demo failed; empty if it did not."""
        checks = {
            f"the ledger does not balance: {dict(self.ledger)}": self.balanced,
            "nothing was inspected": self.ledger["inspected"] > 0,
            "no true defect was found": self.score.found > 0,
        }
        return [complaint for complaint, well in checks.items() if not well]

    def as_json(self) -> dict[str, Any]:
        return {
            "ledger": dict(self.ledger),
            "latency_ms": {kind: dict(values) for kind, values in self.latency_ms.items()},
            "defects": {
                "truth": self.score.truth,
                "found": self.score.found,
                "missed": len(self.score.missed),
                "false": len(self.score.false),
            },
            "evidence": [str(path) for path in self.evidence],
            "fps": self.fps,
            "seconds": self.seconds,
        }


def report(audit: Mapping[str, Any], observer: Observer, score: Score, evidence: Path) -> Report:
    """Build the report. `audit` is the output of `andon audit --json`, `evidence` the folder of the pictures."""
    ledger = {key: int(audit["ledger"][key]) for key in LEDGER}
    # those of the account or of the log, whichever are more, and alerts that came twice
    ledger["duplicates"] = max(ledger["duplicates"], observer.conflicts) + observer.repeated_alerts
    return Report(
        ledger=ledger,
        latency_ms={"inspection": _in_ms(observer.latencies_s), "alert": _in_ms(observer.alert_latencies_s)},
        score=score,
        evidence=sorted(path for path in evidence.rglob("*.jpg") if not path.name.endswith(".raw.jpg")),
        fps=round(observer.inspected / observer.seconds, 2) if observer.seconds else 0.0,
        seconds=round(observer.seconds, 2),
    )


def _in_ms(values_s: Sequence[float]) -> dict[str, float | None]:
    values = {f"p{percent}": percentile(values_s, percent) for percent in PERCENTILES}
    return {name: None if value is None else round(value * 1000, 1) for name, value in values.items()}


def show(result: Report, folder: Path, console: Console) -> None:
    """Print it for people."""
    console.print(_ledger(result), _latency(result), _defects(result), sep="\n")
    for name in result.score.missed:
        console.print(f"missed: {name}", highlight=False)
    for name in result.score.false:
        console.print(f"false:  {name}", highlight=False)
    console.print(f"{result.fps:.1f} frames a second over {result.seconds:.0f} s", highlight=False)
    console.print(
        f"evidence: {len(result.evidence)} pictures in {folder / 'evidence'}", highlight=False, soft_wrap=True
    )
    for path in result.evidence:
        console.print(f"  {path}", highlight=False, soft_wrap=True)
    for failure in result.failures:
        console.print(f"FAILED: {failure}", style="bold red")


def _ledger(result: Report) -> Table:
    table = Table(*LEDGER, title=f"every captured frame: {'balanced' if result.balanced else 'DOES NOT BALANCE'}")
    table.add_row(*(str(result.ledger[key]) for key in LEDGER))
    return table


def _latency(result: Report) -> Table:
    headings = [f"p{percent} ms" for percent in PERCENTILES]
    table = Table("capture to", *headings, title="latency, of every frame and alert")
    for kind, values in result.latency_ms.items():
        table.add_row(kind, *("-" if value is None else f"{value:.0f}" for value in values.values()))
    return table


def _defects(result: Report) -> Table:
    score = result.score
    table = Table("truth", "found", "missed", "false", title="defects, against the clips' truth")
    table.add_row(str(score.truth), str(score.found), str(len(score.missed)), str(len(score.false)))
    return table
