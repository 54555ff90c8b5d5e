"""`andon ingest`: cameras to Kafka."""

import functools
import sys
from pathlib import Path

import click

from andon.cli import config_option
from andon.config import load
from andon.process.lifecycle import run
from ingest.role import ingest_role


@click.command()
@config_option()
@click.option("--camera", "cameras", multiple=True, metavar="ID", help="Only this camera; may be given several times.")
@click.option("--once", is_flag=True, help="End when every camera has come to its end (files, image folders).")
def ingest(path: Path, cameras: tuple[str, ...], *, once: bool) -> None:
    """Read the line's cameras and publish their frames.

    \b
    Example:
      andon ingest -c line.yaml
      andon ingest -c line.yaml --camera press-3 --camera press-4
    """
    settings = load(path)
    sys.exit(run("ingest", functools.partial(ingest_role, only=frozenset(cameras), once=once), settings))
