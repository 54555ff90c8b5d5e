"""`andon lag`: how far each consumer group is behind, by partition."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from andon.cli import config_option
from andon.config import load
from andon.errors import FatalError
from andon.events import silent
from andon.settings import Settings
from andon.stream.clients import admin, started
from andon.stream.lag import PartitionLag, group_lag

Rows = list[tuple[str, PartitionLag]]
ANSWER_S = 5.0
"""How long the broker may take to answer."""


@click.command()
@config_option()
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
@click.option("--all", "every", is_flag=True, help="Show partitions without lag, too.")
def lag(path: Path, *, as_json: bool, every: bool) -> None:
    """Show how far workers and sinks are behind, in records and in seconds.

    \b
    Example:
      andon lag -c line.yaml
      andon lag --json | jq '.[] | select(.records > 100)'
    """
    settings = load(path)
    rows, missing = asyncio.run(_read(settings))
    if as_json:
        click.echo(json.dumps([{"group": group, **asdict(item), "records": item.records} for group, item in rows]))
    else:
        Console().print(_table(rows, every=every))
    new = [group for group in dict.fromkeys(group for group, _ in rows) if not _has_committed(group, rows)]
    if complaints := _complaints(settings, missing, new):
        raise FatalError(complaints)


async def _read(settings: Settings) -> tuple[Rows, list[str]]:
    """Returns the lags, and the topics that are missing."""
    kafka = settings.kafka.model_copy(update={"start_timeout_s": ANSWER_S})
    groups = [(settings.worker_group(pool), settings.pool_topic(pool)) for pool in settings.pools]
    groups.append((settings.sink_group, kafka.inspections_topic))
    async with started(lambda: admin(kafka), kafka, silent) as client:
        existing = set(await client.list_topics())
    rows: Rows = []
    for group, topic in groups:
        if topic not in existing:
            continue
        lags = await group_lag(kafka, group, topic)
        if lags is None:
            raise FatalError(f"Kafka at {kafka.bootstrap_servers} does not say how far {group} is behind: is it busy?")
        rows += [(group, item) for item in lags]
    return rows, sorted({topic for _, topic in groups} - existing)


def _has_committed(group: str, rows: Rows) -> bool:
    return any(item.ever_committed for name, item in rows if name == group)


def _complaints(settings: Settings, missing: Sequence[str], new: Sequence[str]) -> str:
    """The missing topics and groups, in one line. Empty: none is missing."""
    where = settings.kafka.bootstrap_servers
    complaints = [f"the topic {', '.join(missing)} is missing: `andon topics create` makes it"] if missing else []
    if new:
        complaints.append(f"{', '.join(new)} has never committed: is the line up, and is this its broker?")
    return f"at {where}, {'; '.join(complaints)}" if complaints else ""


def _table(rows: Rows, *, every: bool) -> Table:
    table = Table("group", "topic")
    for heading in ("partition", "committed", "end", "lag", "seconds"):
        table.add_column(heading, justify="right")
    for group, item in rows:
        if item.records or every:
            numbers = (item.partition, item.committed, item.end, item.records)
            table.add_row(group, item.topic, *map(str, numbers), f"{item.seconds:.1f}")
    total = sum(item.records for _, item in rows)
    table.add_section()
    table.add_row("total", "", "", "", "", str(total), f"{max((item.seconds for _, item in rows), default=0.0):.1f}")
    return table
