"""`andon alerts follow`: prints the line's alerts as they come, one line each."""

import asyncio
import logging
import sys
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import click

from andon.alerts import DEFECTS, PARTS, DefectAlerts, PartVerdicts, Start, tail
from andon.cli import config_option
from andon.config import load
from andon.messages import Defect, PartVerdict


@dataclass(frozen=True, slots=True)
class _Source:
    url: str
    prefix: str
    start: Start


@click.group()
def alerts() -> None:
    """Follow the line's alerts."""


@alerts.command()
@config_option()
@click.option("--redis", "url", help="A Redis URL, instead of the configuration's.")
@click.option("--group", help="Read as this consumer group and acknowledge each printed alert. Without: only look on.")
@click.option("--from-start", is_flag=True, help="Begin with the oldest alert in Redis (a group: if it is new).")
@click.option("--count", type=click.IntRange(min=1), help="End after this number of alerts.")
@click.option("--json", "as_json", is_flag=True, help="Print each event as one line of JSON.")
@click.option("--parts", is_flag=True, help="Follow the verdicts on parts instead.")
def follow(path: Path, *, url: str | None, group: str | None, from_start: bool, parts: bool, **printed: Any) -> None:
    """Print alerts as they come, until Ctrl-C: time, camera, severity, label, transition, defect, evidence.

    With --parts: time, camera, verdict, frames inspected, part, its defects or the reason of `unknown`.

    \b
    Example:
      andon alerts follow -c line.yaml
      andon alerts follow --redis redis://127.0.0.1:6379/0 --from-start --json | jq .label
      andon alerts follow --group shift-log >> alerts.txt
      andon alerts follow --parts
    """
    start: Start = "beginning" if from_start else "new"
    source = _Source(url, "andon", start) if url else _configured(path, start)
    printer = _Printer(**printed)
    _log_warnings()
    try:
        asyncio.run(_run(source, group, printer, parts=parts))
    except KeyboardInterrupt:
        sys.exit(130)


def _configured(path: Path, start: Start) -> _Source:
    redis = load(path).redis
    return _Source(redis.url.get_secret_value(), redis.prefix, start)


class _Printer:
    """Prints events, until `count` of them."""

    def __init__(self, *, count: int | None, as_json: bool) -> None:
        self._left = count
        self._as_json = as_json

    def print(self, event: Defect | PartVerdict) -> bool:
        """Whether this was the last one."""
        click.echo(event.model_dump_json() if self._as_json else _line(event))
        if self._left is not None:
            self._left -= 1
        return self._left == 0


async def _run(source: _Source, group: str | None, printer: _Printer, *, parts: bool) -> None:
    if group:
        await _consume(source, group, printer, parts=parts)
    else:
        await _look_on(source, printer, parts=parts)


async def _look_on(source: _Source, printer: _Printer, *, parts: bool) -> None:
    where = partial(tail, url=source.url, start=source.start, prefix=source.prefix)
    async with aclosing(where(PARTS) if parts else where(DEFECTS)) as events:
        async for event in events:
            if printer.print(event):
                return


async def _consume(source: _Source, group: str, printer: _Printer, *, parts: bool) -> None:
    """Acknowledges each event after it was printed."""
    consumer = PartVerdicts if parts else DefectAlerts
    async with consumer(source.url, group=group, start=source.start, prefix=source.prefix) as deliveries:
        async for delivery in deliveries:
            last = printer.print(delivery.event)
            await delivery.ack()
            if last:
                return


def _line(event: Defect | PartVerdict) -> str:
    at = event.at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if isinstance(event, PartVerdict):
        why = ", ".join(defect.label for defect in event.defects) or event.reason or "-"
        return "  ".join((at, event.camera_id, f"{event.verdict:<7}", f"{event.frames:>3}", event.part_id, why))
    return "  ".join((at, *_columns(event)))


def _columns(defect: Defect) -> tuple[str, ...]:
    columns = (defect.camera_id, f"{defect.severity:<8}", defect.label, f"{defect.transition:<7}", defect.defect_id)
    return (*columns, defect.evidence or "-")


def _log_warnings() -> None:
    """Write the client's warnings (Redis is away, an entry is no event) to stderr, one line each."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("andon: %(message)s"))
    for name in ("andon.alerts", "andon.redis"):
        logging.getLogger(name).handlers = [handler]
