"""`andon board`."""

import sys
from pathlib import Path

import click

from andon.cli import config_option
from andon.config import load
from andon.process import lifecycle
from sinks.board.role import board as role


@click.command()
@config_option()
def board(path: Path) -> None:
    """Serve the andon board: the line's state, alarms, evidence and counts in a browser, and the API.

    Without users it answers this machine only, and whoever sits there is an engineer; `andon user add` makes users.

    \b
    Example:
      andon board -c line.yaml
    """
    sys.exit(lifecycle.run("board", role, load(path)))
