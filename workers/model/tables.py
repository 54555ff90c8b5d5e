"""Figures as tables on the terminal. JSON has the same numbers under the manifest's own names."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from workers.model.measure import Progress as Advance
from workers.runtimes.manifest import Manifest, ModelMetrics


@contextmanager
def progress(what: str, total: int) -> Iterator[Advance]:
    """A bar on stderr, only if that is a terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda count: bar.advance(task, count)


def table_of(metrics: ModelMetrics, title: str) -> Table:
    """A row for each class, and one for all of them."""
    table = Table("class", title=title, title_justify="left", min_width=len(title))
    for column in ("mAP50", "mAP50-95"):
        table.add_column(column, justify="right")
    for name, map50 in metrics.map50_by_class.items():
        table.add_row(name, f"{map50:.4f}", f"{metrics.map50_95_by_class[name]:.4f}")
    table.add_section()
    table.add_row("all", f"{metrics.map50:.4f}", f"{metrics.map50_95:.4f}")
    return table


def line_yaml(artifact: Path, manifest: Manifest) -> str:
    """The lines of line.yaml with which a worker serves the artifact."""
    head = ["in line.yaml:", "  pools:", "    default:", "      model:"]
    return "\n".join([*head, f"        weights: {artifact}", f"        digest: {manifest.digest}"])
