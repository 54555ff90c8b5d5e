"""`andon topics create`: the line's topics, with its retention and record size."""

import asyncio
from pathlib import Path

import click

from andon.cli import config_option
from andon.config import load
from andon.events import silent
from andon.settings import Settings
from andon.stream.topics import ensure_topics, partition_counts


@click.group()
def topics() -> None:
    """The line's Kafka topics."""


@topics.command()
@config_option()
def create(path: Path) -> None:
    """Create the missing topics. Existing topics stay as they are.

    \b
    Example:
      andon topics create -c line.yaml
    """
    settings = load(path)
    created, narrow = asyncio.run(_create(settings))
    click.echo("\n".join(f"created {name}" for name in created) or "all topics exist")
    for name, partitions in narrow.items():
        click.echo(
            f"{name} has {partitions} partition{'s' * (partitions > 1)}, kafka.partitions says"
            f" {settings.kafka.partitions}: no more processes than it has partitions share its work"
        )


async def _create(settings: Settings) -> tuple[list[str], dict[str, int]]:
    """Returns the created topics, and the existing ones with fewer partitions than `kafka.partitions`."""
    kafka = settings.kafka
    created = await ensure_topics(settings, silent)
    wide = [*(settings.pool_topic(pool) for pool in settings.pools), kafka.inspections_topic]
    existing = [name for name in wide if name not in created]
    if not existing:  # for an empty list the client describes every topic of the broker
        return created, {}
    counts = await partition_counts(existing, kafka, silent)
    return created, {name: count for name, count in counts.items() if count < kafka.partitions}
