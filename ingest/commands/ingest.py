"""`andon ingest`: cameras to Kafka."""

import functools
import os
import sys
from pathlib import Path

import click
from pydantic import ValidationError

from andon.cameras.seed import seed_of
from andon.cli import config_option
from andon.config import as_written, load
from andon.errors import ConfigError
from andon.process.lifecycle import run
from andon.process.watchdog import end
from andon.settings import REGISTRY, IngestSettings
from ingest.role import IngestOptions, ingest_role
from ingest.threads import still_running


@click.command()
@config_option()
@click.option("--camera", "cameras", multiple=True, metavar="ID", help="Only this camera; may be given several times.")
@click.option("--once", is_flag=True, help="End when every camera has come to its end (files, image folders).")
@click.option("--alone", is_flag=True, help="It is the line's only ingester: it need not wait for a share.")
@click.option("--site", help="Where it stands: the same as ingest.site.")
def ingest(path: Path, cameras: tuple[str, ...], site: str | None, *, once: bool, alone: bool) -> None:
    """Capture the line's cameras and publish their frames.

    All ingesters of a line share its cameras. If one dies, the others take its cameras over. With --camera or --once it
    captures by itself, whatever the others do.

    \b
    Example:
      andon ingest -c line.yaml
      andon ingest -c line.yaml --site hall-2
      andon ingest -c line.yaml --camera press-3 --camera press-4
    """
    settings = load(path)
    if site is not None:
        settings = settings.model_copy(update={"ingest": _ingest_settings(site)})
    written = as_written(path).get("cameras", [])
    seed = None if written == REGISTRY else seed_of(written, settings.line, os.path.abspath(path))
    options = IngestOptions(seed, frozenset(cameras), once=once, alone=alone)
    code = run("ingest", functools.partial(ingest_role, options=options), settings)
    if still_running():
        end(code)
    sys.exit(code)


def _ingest_settings(site: str) -> IngestSettings:
    try:
        return IngestSettings(site=site)
    except ValidationError:
        raise ConfigError(f"--site {site}: small letters, digits and dashes, up to 41 of them") from None
