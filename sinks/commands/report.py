"""`andon report`: a shift in numbers, the same as the board's page."""

import asyncio
import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import click
from markupsafe import Markup
from sqlalchemy import Connection

from andon.cli import config_option
from andon.clock import SystemClock
from andon.config import load
from andon.errors import ConfigError, FatalError, RetryableError
from andon.settings import Settings
from sinks.board.models.shift import ShiftReport
from sinks.board.rendering import STATIC, standalone
from sinks.board.shift_choice import LAST, chosen, shift_report
from sinks.board.shift_table import as_csv
from sinks.board.shifts import Shift, ShiftPlan
from sinks.store.database import sqlite_file
from sinks.store.reading import StoreReader


@click.command()
@config_option()
@click.option("--shift", "name", default=LAST, help="last, current, or a name of board.shifts. Default: last.")
@click.option("--date", "day", type=click.DateTime(["%Y-%m-%d"]), help="The day on which the shift began.")
@click.option("--camera", help="Only this camera.")
@click.option("--format", "form", default="html", type=click.Choice(["html", "csv", "json"]), help="Default: html.")
@click.option("--language", default="en", type=click.Choice(["en", "de"]), help="Of the html. Default: en.")
@click.option("-o", "--out", type=click.Path(path_type=Path, dir_okay=False), help="A file. Default: standard output.")
def report(path: Path, out: Path | None, **given: Any) -> None:
    """Report on a shift: yield, rejects by class and hour, coverage, downtime of cameras, and the account of frames.

    \b
    Example:
      andon report --shift last --format html -o shift.html
      andon report --shift night --date 2026-03-01 --format json | jq .counts
    """
    text = _text(load(path), ReportOrder(**given))
    if out is None:
        sys.stdout.write(text)
        return
    try:
        out.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise ConfigError(f"{out}: {error.strerror}") from None


@dataclass(frozen=True, slots=True)
class ReportOrder:
    name: str
    """Of the shift."""
    day: datetime | None
    camera: str | None
    form: str
    language: str


def _text(settings: Settings, order: ReportOrder) -> str:
    now = SystemClock().now()
    shift = chosen(ShiftPlan.of(settings.board), now, order.name, order.day.date() if order.day else None)
    shift_report = asyncio.run(_read(settings, shift, now, order.camera))
    if order.camera is not None and shift_report.empty:
        raise ConfigError(f"--camera {order.camera}: nothing is known of such a camera in this shift")
    if order.form == "csv":
        return as_csv(shift_report)
    if order.form == "json":
        return shift_report.model_dump_json(indent=2) + "\n"
    styles = "".join((STATIC / name).read_text("utf-8") for name in ("shift_file.css", "shift.css"))
    return standalone("shift_file.html", order.language, report=shift_report, styles=Markup(f"<style>{styles}</style>"))  # noqa: S704  # our own


async def _read(settings: Settings, shift: Shift, now: datetime, camera: str | None) -> ShiftReport:
    url = settings.sinks.store.get_secret_value()
    file = sqlite_file(url)
    if file is not None and not file.exists():
        raise ConfigError(f"sinks.store: there is no {file}: has `andon sink` run with this line.yaml, in this folder?")
    reader = await StoreReader.open(url)

    def query(connection: Connection) -> ShiftReport:
        return shift_report(connection, settings, shift, now, camera)

    try:
        return await reader.run(query)
    except RetryableError as error:
        raise FatalError(str(error)) from None
    finally:
        await reader.close()
