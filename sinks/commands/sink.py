"""`andon sink`."""

import sys
from pathlib import Path

import click

from andon.cli import config_option
from andon.config import load
from andon.process import lifecycle
from sinks.role import sink as role


@click.command()
@config_option()
def sink(path: Path) -> None:
    """Account for every frame, raise defect events, show live state, store evidence and send alerts.

    \b
    Example:
      andon sink -c line.yaml
    """
    sys.exit(lifecycle.run("sink", role, load(path)))
