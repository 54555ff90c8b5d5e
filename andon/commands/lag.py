"""`andon lag`: how far each consumer group is behind, by partition."""

import asyncio
import json
from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from andon.cli import config_option
from andon.config import load
from andon.errors import FatalError
from andon.settings import Settings
from andon.stream.lag import PartitionLag, group_lag

Rows = list[tuple[str, PartitionLag]]


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
    rows = asyncio.run(_read(load(path)))
    if as_json:
        click.echo(json.dumps([{"group": group, **asdict(item), "records": item.records} for group, item in rows]))
        return
    Console().print(_table(rows, every=every))


async def _read(settings: Settings) -> Rows:
    kafka = settings.kafka
    groups = [(settings.worker_group(pool), settings.pool_topic(pool)) for pool in settings.pools]
    groups.append((settings.sink_group, kafka.inspections_topic))
    rows: Rows = []
    for group, topic in groups:
        lags = await group_lag(kafka, group, topic)
        if lags is None:
            raise FatalError(
                f"no Kafka at {kafka.bootstrap_servers}, or no topic {topic!r} there: is the line up? "
                "`andon topics create` makes its topics"
            )
        rows += [(group, item) for item in lags]
    return rows


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
