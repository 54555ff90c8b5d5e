"""`andon topics create`: the line's topics, with its retention and record size."""

import asyncio
from pathlib import Path

import click

from andon.cli import config_option
from andon.config import load
from andon.events import silent
from andon.kafka import ensure_topics


@click.group()
def topics() -> None:
    """The line's Kafka topics."""


@topics.command()
@config_option()
def create(path: Path) -> None:
    """Create the topics that are missing; those that exist are left as they are.

    \b
    Example:
      andon topics create -c line.yaml
    """
    created = asyncio.run(ensure_topics(load(path), silent))
    click.echo("\n".join(f"created {name}" for name in created) or "all topics exist")
