"""A report's tables: on the console, and as the Markdown that docs/performance.md takes over."""

import platform
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bench.harness.report import Report
from bench.harness.rounds import MOST_SPREAD

Rows = Sequence[Mapping[str, object]]
FILE = "report.md"


def show(report: Report, console: Console) -> None:
    """Print tables for people."""
    for title, rows in all_tables(report).items():
        console.print(rows_table(title, rows))
    for key, reason in report.failed.items():
        console.print(f"FAILED {key}: {reason}", style="bold red", markup=False, highlight=False)


def write_markdown(report: Report, folder: Path) -> Path:
    """Write report.md into the existing `folder`."""
    path = folder / FILE
    parts = [f"## {title}\n\n{markdown(rows)}" for title, rows in all_tables(report).items()]
    path.write_text("\n\n".join(parts) + "\n", encoding="utf-8")
    return path


def all_tables(report: Report) -> dict[str, Rows]:
    """Of all measurements, then how they went, and at last the ratios beside their aims."""
    tables = {title: rows for of_one in report.tables.values() for title, rows in of_one.items()}
    return {**tables, "measurements": course_rows(report), ratios_title(report): ratio_rows(report)}


def ratios_title(report: Report) -> str:
    """The processor with its vector units: ratios between runtimes depend on them."""
    about = report.machine
    units = ", ".join(about.get("vector_units", ())) or "unknown vector units"
    return f"ratios on {about.get('cpu') or platform.node() or 'this machine'} with {units}"


def ratio_rows(report: Report) -> list[dict[str, object]]:
    """A row for each aim, measured or not."""
    rows: list[dict[str, object]] = []
    for aim in report.aims:
        ratio = report.ratios.get(aim.key)
        rows.append(
            {
                "ratio": aim.key,
                "what": aim.what,
                "aim": aim.shown,
                "measured": "-" if ratio is None else f"{ratio.value:.3f}",
                "": "" if ratio is None else aim.verdict(ratio.value),
                "rounds": "" if ratio is None or ratio.spread is None else _spread_in_words(ratio.spread),
            }
        )
    return rows


def _spread_in_words(spread: float) -> str:
    return f"scatter by {spread:.0%}" if spread > MOST_SPREAD else f"within {spread:.0%}"


def course_rows(report: Report) -> list[dict[str, object]]:
    """How long each measurement took, and what else ran before it."""
    rows: list[dict[str, object]] = [
        {"measurement": name, "seconds": f"{course.seconds:.0f}", "cores busy before": f"{course.busy_before:.1f}"}
        for name, course in report.courses.items()
    ]
    whole = sum(course.seconds for course in report.courses.values())
    return [*rows, {"measurement": "all", "seconds": f"{whole:.0f}", "cores busy before": ""}]


def rows_table(title: str, rows: Rows) -> Table:
    """A table for people, with a column for each key of any row."""
    columns = _columns(rows)
    table = Table(title=title)
    for column in columns:
        numbers = any(isinstance(row.get(column), float | int) for row in rows)
        table.add_column(column, justify="right" if numbers else "left")
    for row in rows:
        table.add_row(*(_cell(row.get(column)) for column in columns))
    return table


def markdown(rows: Rows) -> str:
    """The same as GitHub's Markdown."""
    columns = _columns(rows)
    lines = [columns, ["---"] * len(columns), *([_cell(row.get(column)) for column in columns] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _columns(rows: Rows) -> list[str]:
    return list(dict.fromkeys(column for row in rows for column in row))


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if not isinstance(value, float):
        return str(value)
    return f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"
