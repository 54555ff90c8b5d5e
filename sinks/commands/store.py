"""`andon store`: the store's upkeep by hand."""

import asyncio
import json
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from andon.cli import config_option
from andon.clock import SystemClock
from andon.config import load
from andon.errors import ConfigError, FatalError, RetryableError
from andon.settings import Settings
from sinks.channels.evidence_retention import EvidenceRetention, FileCounts
from sinks.channels.files import Files
from sinks.retention import EvidenceThread
from sinks.store.database import opened, sqlite_file
from sinks.store.prune_queries import PruneCounts
from sinks.store.retention import StoreRetention

SETTING = {"defect_events": "defects", "alarm_events": "alarms", "epochs": "sessions", "quarter_classes": "quarters"}
"""Tables whose age another table's setting gives."""


@click.group()
def store() -> None:
    """The upkeep of the sinks' store and evidence."""


@store.command()
@config_option()
@click.option("--dry-run", is_flag=True, help="Show what would be deleted, and delete nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def prune(path: Path, *, dry_run: bool, as_json: bool) -> None:
    """Delete rows and pictures that are older or take more room than sinks.keep_days and sinks.evidence say.

    Sinks do the same once an hour and may run meanwhile. The totals of what is deleted are kept: `andon audit` shows
    the same account before and after. Open sessions, open defects and what has not left yet are never deleted.

    \b
    Example:
      andon store prune -c line.yaml --dry-run
    """
    settings = load(path)
    rows, pictures = asyncio.run(_prune(settings, dry_run=dry_run))
    if as_json:
        click.echo(json.dumps({"dry_run": dry_run, "rows": asdict(rows), "evidence": asdict(pictures)}))
    else:
        Console().print(_table(settings, rows, pictures, dry_run=dry_run))


async def _prune(settings: Settings, *, dry_run: bool) -> tuple[PruneCounts, FileCounts]:
    url, place = settings.sinks.store.get_secret_value(), settings.sinks.evidence
    file = sqlite_file(url)
    if file is not None and not file.exists():
        raise ConfigError(
            f"sinks.store: {file} does not exist: has `andon sink` run with this line.yaml, in this folder?"
        )
    files = EvidenceRetention(Files(place.url), place.max_bytes, nullcontext)  # a person at the terminal is the limit
    database = await opened(url)
    try:
        retention = StoreRetention(database, settings.sinks.keep_days, SystemClock())
        rows = await (retention.count() if dry_run else retention.prune())
        with EvidenceThread(files, place.keep_days, SystemClock()) as evidence:
            return rows, await evidence.prune(dry_run=dry_run)
    except RetryableError as error:
        raise FatalError(f"{error}; what was deleted until now stays deleted, so start again") from None
    finally:
        await database.close()


def _table(settings: Settings, rows: PruneCounts, pictures: FileCounts, *, dry_run: bool) -> Table:
    keep: dict[str, Any] = settings.sinks.keep_days.model_dump()
    title = "Would be deleted" if dry_run else "Deleted"
    table = Table("what", "older than", title=title, title_justify="left")
    table.add_column("rows, files", justify="right")
    table.add_column("bytes", justify="right")
    for name, count in asdict(rows).items():
        days = keep[SETTING.get(name, name)]
        table.add_row(name, f"{days:g} days", str(count), "")
    place = settings.sinks.evidence
    age = f"{place.keep_days:g} days, or above {place.max_bytes:,} bytes"
    table.add_row("evidence", age, str(pictures.files), f"{pictures.bytes:,}")
    return table
