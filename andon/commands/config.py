"""`andon config`: check line.yaml, and its schema for editors."""

import json
from importlib.metadata import entry_points
from pathlib import Path

import click

from andon.cli import config_option
from andon.config import load
from andon.settings import Settings

CHECKS = "andon.checks"
"""The group of entry points: functions that take the Settings and raise ConfigError."""


@click.group()
def config() -> None:
    """The line's configuration."""


@config.command()
@config_option()
def check(path: Path) -> None:
    """Say in one line what is wrong with line.yaml, or that nothing is. Exits with 2 if something is.

    \b
    Example:
      andon config check -c line.yaml
    """
    settings = load(path)
    for entry in entry_points(group=CHECKS):  # checks that need another package, if it is installed
        entry.load()(settings)
    cameras = sum(1 for camera in settings.cameras if camera.enabled)
    for line in settings.outdated():
        click.echo(f"{path}: {line}", err=True)
    click.echo(f"{path}: ok, {cameras} cameras, {len(settings.pools)} pools")


@config.command()
def schema() -> None:
    """Print the JSON schema of line.yaml, for an editor's completion.

    \b
    Example:
      andon config schema > line.schema.json
    """
    click.echo(json.dumps(Settings.model_json_schema(), indent=2))
