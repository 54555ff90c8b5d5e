"""How figures are shown: rich tables on the terminal. JSON has the same numbers under the manifest's own names."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from workers.model.measure import Progress as Told
from workers.runtimes.manifest import Manifest, Metrics


@contextmanager
def progress(what: str, total: int) -> Iterator[Told]:
    """A bar on stderr, on a terminal; a pipe or a log is not filled with it."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda count: bar.advance(task, count)


def table_of(metrics: Metrics, title: str) -> Table:
    """By class, and all of them in the last row."""
    table = Table("class", title=title, title_justify="left", min_width=len(title))
    for column in ("mAP50", "mAP50-95"):
        table.add_column(column, justify="right")
    for name, map50 in metrics.map50_by_class.items():
        table.add_row(name, f"{map50:.4f}", f"{metrics.map50_95_by_class[name]:.4f}")
    table.add_section()
    table.add_row("all", f"{metrics.map50:.4f}", f"{metrics.map50_95:.4f}")
    return table


def line_yaml(artifact: Path, manifest: Manifest) -> str:
    """The lines that have a worker serve it."""
    head = ["in line.yaml:", "  pools:", "    default:", "      model:"]
    return "\n".join([*head, f"        weights: {artifact}", f"        digest: {manifest.digest}"])
