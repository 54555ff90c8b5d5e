"""`andon work`."""

import sys
from functools import partial
from pathlib import Path

import click

from andon.cli import config_option
from andon.config import load
from andon.process import lifecycle
from workers.role import work as role


@click.command()
@config_option()
@click.option("--pool", default="default", show_default=True, help="Which pool's frames to inspect, with its model.")
def work(path: Path, pool: str) -> None:
    """Inspect frames: one worker of a pool. Start as many as the line needs; Kafka shares the cameras out.

    \b
    Example:
      andon work -c line.yaml
      andon work -c line.yaml --pool heavy
    """
    sys.exit(lifecycle.run("work", partial(role, pool_name=pool), load(path)))
