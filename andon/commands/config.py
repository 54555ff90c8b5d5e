"""`andon config`: check line.yaml, and its schema for editors."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from andon.checks import OFFLINE, ONLINE, findings
from andon.cli import config_option
from andon.config import load
from andon.settings import Settings


@click.group()
def config() -> None:
    """The line's configuration."""


@config.command()
@config_option()
@click.option("--online", is_flag=True, help="Also try every camera, the broker, Redis, the store and the evidence.")
def check(path: Path, *, online: bool) -> None:
    """Say what in line.yaml can't work on this machine, one line for each fault, or that nothing is wrong.

    Looks at keys, weights, files, folders and devices. With --online it also opens each camera until its first picture,
    within the camera's own time limits, and asks each server, for 10 s at most. Exits with 2 for a fault in the
    settings, and with 1 if only something that --online tried does not answer.

    \b
    Example:
      andon config check -c line.yaml
      andon config check -c line.yaml --online
    """
    settings = load(path)
    for line in settings.outdated():
        click.echo(f"{path}: {line}", err=True)
    offline = findings(settings, OFFLINE)
    _end_if_any(path, offline.faults, 2)
    tried = findings(settings, ONLINE) if online else None
    _end_if_any(path, tried.faults if tried else [], 1)
    cameras = sum(1 for camera in settings.cameras if camera.enabled)
    skipped = dict.fromkeys(offline.skipped + (tried.skipped if tried else []))
    aside = f"; not checked: {', '.join(skipped)}" if skipped else ""
    click.echo(f"{path}: ok, {cameras} cameras, {len(settings.pools)} pools{aside}")


def _end_if_any(path: Path, faults: Sequence[str], code: int) -> None:
    for fault in faults:
        click.echo(f"{path}: {fault}", err=True)
    if faults:
        sys.exit(code)


@config.command()
def schema() -> None:
    """Print the JSON schema of line.yaml, for an editor's completion.

    \b
    Example:
      andon config schema > line.schema.json
    """
    click.echo(json.dumps(Settings.model_json_schema(), indent=2))
