"""`andon audit`: whether every captured frame is accounted for, and the spans without frames."""

import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from andon.cameras.registry import open_registry
from andon.cli import config_option
from andon.clock import SystemClock
from andon.config import load
from andon.errors import ConfigError, FatalError, RetryableError
from andon.events import silent
from andon.process.log import adopt_client_logs
from andon.settings import Settings
from andon.stream.lag import group_lag
from sinks.audit import Audit, audit_of
from sinks.circumstances import Circumstances, ConsumerGroup
from sinks.judgement.tally import Tally
from sinks.store.database import sqlite_file
from sinks.store.store import Store

BROKER_S = 3.0
"""Time limit for the broker's answer about lag; a line whose broker is stopped is audited without it."""

WIDTH = 130
"""Columns, if the output is no terminal."""


@click.command()
@config_option()
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
@click.option("--camera", help="Only this camera.")
def audit(path: Path, *, as_json: bool, camera: str | None) -> None:
    """Show the outcome of every captured frame. Exits 1 if one is lost, the account does not
    balance, or the line stands still.

    \b
    Example:
      andon audit -c line.yaml
      andon audit --json | jq .ledger
    """
    report = asyncio.run(_audit(load(path), camera))
    if as_json:
        click.echo(json.dumps(report.as_json()))
    else:
        _print(report)
    if report.fault is not None:
        sys.stderr.write(f"andon audit: {report.fault}\n")
        sys.exit(1)


async def _audit(settings: Settings, camera: str | None) -> Audit:
    url = settings.sinks.store.get_secret_value()
    file = sqlite_file(url)
    if file is not None and not file.exists():
        raise ConfigError(f"sinks.store: there is no {file}: has `andon sink` run with this line.yaml, in this folder?")
    clock = SystemClock()
    loud = adopt_client_logs(silent)  # the table says once that the broker is away
    try:
        groups = await _groups(settings)
        registered = {} if groups is None else await _registered(settings)
    finally:
        loud()
    store = await Store.open(url)
    try:
        stored = await store.everything()
    except RetryableError as error:
        raise FatalError(str(error)) from None
    finally:
        await store.close()
    report = audit_of(stored, _circumstances(settings, groups, registered, clock.now()), camera)
    if camera is not None and not report.cameras:
        raise ConfigError(f"--camera {camera}: the store has no such camera")
    return report


async def _registered(settings: Settings) -> dict[str, datetime]:
    """The enabled cameras of the registry. None, if it can't be read: the account does not depend on it."""
    quick = settings.kafka.model_copy(update={"start_timeout_s": BROKER_S})
    try:
        async with open_registry(quick, silent) as registry:
            configs = [entry.config for entry in registry.cameras.values()]
    except FatalError:
        return {}
    return {item.camera_id: item.at for item in configs if (item.settings or {}).get("enabled", True) is not False}


def _circumstances(
    settings: Settings, groups: Sequence[ConsumerGroup] | None, registered: Mapping[str, datetime], now: datetime
) -> Circumstances:
    """`groups`: those of the workers, then the sinks'; None: the broker does not answer."""
    return Circumstances(
        now,
        None if groups is None else sum(group.records for group in groups),
        settings.sinks.silence_s,
        settings.own_silence_s,
        settings.run.stalled_s,
        tuple((groups or ())[:-1]),
        groups[-1] if groups else None,
        frozenset(registered) or frozenset(camera.id for camera in settings.cameras if camera.enabled) or None,
        registered,
    )


async def _groups(settings: Settings) -> list[ConsumerGroup] | None:
    """What workers and sinks have not read yet. Asked before the store is read, so it is never too low."""
    groups = [(settings.worker_group(pool), settings.pool_topic(pool)) for pool in settings.pools]
    groups.append((settings.sink_group, settings.kafka.inspections_topic))
    requests = [group_lag(settings.kafka, group, topic, timeout_s=BROKER_S) for group, topic in groups]
    found: list[ConsumerGroup] = []
    for (group, topic), lags in zip(groups, await asyncio.gather(*requests), strict=True):
        if lags is None:
            return None
        oldest_s = max((item.seconds for item in lags), default=0.0)
        found.append(ConsumerGroup(group, topic, sum(item.records for item in lags), oldest_s))
    return found


def _print(report: Audit) -> None:
    console = Console() if sys.stdout.isatty() else Console(width=WIDTH)
    table = Table("camera", title="Every captured frame", title_justify="left")
    headings = ("captured", "inspected", "shed", "quarantined", "lost", "in flight", "redelivered", "duplicates")
    for heading in headings:
        table.add_column(heading, justify="right")
    table.add_column("balanced")
    for name, tally in report.cameras.items():
        table.add_row(name, *_cells(tally))
    table.add_section()
    table.add_row("total", *_cells(report.total))
    console.print(table)
    if not report.lag_known and report.total.in_flight:
        console.print("Kafka does not answer, so the lag is unknown: frames not accounted for count as in flight.")
    for name, tally in report.cameras.items():
        if tally.captured_twice:
            console.print(
                f"{name}: {tally.captured_twice} of its frames were captured by an ingester that had lost the camera to"
                " another one: it was frozen, or cut off from Kafka."
            )
    if report.spans:
        console.print(_spans(report))
    spans = sum(totals.spans for totals in report.pruned.values())
    if spans:
        seconds = sum(totals.seconds for totals in report.pruned.values())
        console.print(f"{spans} earlier spans without frames ({seconds:.0f} s) are older than sinks.keep_days.spans.")


def _cells(tally: Tally) -> list[str]:
    reasons = [_reasons(tally.shed), _reasons(tally.quarantined), _reasons(tally.lost)]
    numbers = [str(tally.in_flight), str(tally.redelivered), str(tally.duplicates)]
    return [str(tally.captured), str(tally.inspected), *reasons, *numbers, "yes" if tally.balanced else "NO"]


def _reasons(counts: Mapping[str, int]) -> str:
    return "\n".join(f"{count} {reason}" for reason, count in counts.items()) or "0"


def _spans(report: Audit) -> Table:
    table = Table("camera", "from", "to", title="Spans without frames", title_justify="left")
    table.add_column("seconds", justify="right")
    table.add_column("reason")
    for span in report.spans:
        ended_at = f"{span.ended_at:%H:%M:%S}" if span.ended_at else "still"
        reason = span.reason if span.watched else f"{span.reason} (not watched)"
        table.add_row(
            span.camera_id, f"{span.started_at:%Y-%m-%d %H:%M:%S}", ended_at, f"{report.seconds(span):.1f}", reason
        )
    return table
