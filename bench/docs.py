"""`python -m bench.docs`: puts the figures of the last run, bench/out/report.json, into docs/performance.md.

A comment `<!-- bench: TITLE -->` stands before each table that it replaces. TITLE is that of the table in the report.
"""

import json
import re
from pathlib import Path

import click

from bench.__main__ import MEASUREMENTS
from bench.accuracy import published
from bench.harness.report import FILE, Report
from bench.harness.report_tables import Rows, all_tables, markdown

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
MARK = re.compile(r"(<!-- bench: (?P<title>.+?) -->\n)(?:\|.*\n)*")
"""The comment, and the lines of the table below it."""


@click.command()
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), default=Path("bench/out"), show_default=True)
def main(out: Path) -> None:
    """Say which tables were replaced. Exits 1 if there is no report."""
    page = PAGE.read_text("utf-8")
    try:
        tables = tables_of(out)
    except FileNotFoundError as error:
        raise click.ClickException(f"{error.filename} is missing: run make bench") from None
    PAGE.write_text(filled(page, tables), encoding="utf-8")
    for title in titles(page):
        click.echo(f"{title}: {'replaced' if title in tables else 'not measured, left as it was'}")


def tables_of(folder: Path) -> dict[str, Rows]:
    """The tables of the report in `folder`, by the titles that the page uses. Raises FileNotFoundError."""
    document = json.loads((folder / FILE).read_bytes())
    report = Report(document["machine"])
    report.resume(document, {each.name: each.keys for each in MEASUREMENTS})
    published.add_to(report, folder)
    tables = {
        ("ratios" if title.startswith("ratios on") else title): rows for title, rows in all_tables(report).items()
    }
    return {**tables, "machine": machine_rows(report)}


def machine_rows(report: Report) -> Rows:
    """The machine and what ran on it, a row each."""
    about = report.machine
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    rows = {
        "processor": f"{about['cores']} cores of {about['cpu']}",
        "vector units": ", ".join(about["vector_units"]) or "unknown",
        "GPU": about["gpu"] or "none",
        "memory": f"{about['memory_gb']} GB",
        "broker": f"{about['broker']}, on the same cores",
        "versions": f"Python {about['python']}, {versions}",
        "commit": about["commit"],
        "load before the run": f"{about['load_before']}",
    }
    return [{"the machine": name, "": value} for name, value in rows.items()]


def titles(page: str) -> list[str]:
    """Of the tables that the page has a place for."""
    return [match["title"] for match in MARK.finditer(page)]


def filled(page: str, tables: dict[str, Rows]) -> str:
    """The page with the tables that there are; the others stay."""

    def table(match: re.Match[str]) -> str:
        rows = tables.get(match["title"])
        return match[0] if rows is None else f"{match[1]}{markdown(rows)}\n"

    return MARK.sub(table, page)


if __name__ == "__main__":
    main()
