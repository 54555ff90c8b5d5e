"""`andon camera list` and `show`: the line's cameras, and how each one does."""

import asyncio
import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from andon.cameras.edits import unknown
from andon.cameras.live import LiveState, read_live
from andon.cli import config_option
from andon.config import load
from andon.errors import FatalError
from andon.messages import CameraConfig
from andon.settings import Settings
from ingest.commands.camera_registry import as_json, configs, shown

WIDTH = 130
"""Columns, if the output is no terminal."""
SILENT_S = 15.0
"""A state of which nothing has been heard for longer is old: statuses come every 5 s at least."""


@click.command("list")
@config_option()
@click.option("--json", "in_json", is_flag=True, help="Print one JSON object.")
def list_(path: Path, *, in_json: bool) -> None:
    """Show the line's cameras: state, owner (the ingester that captures it), frames a second, lag.

    \b
    Example:
      andon camera list
      andon camera list --json | jq -r '.cameras[] | select(.state != "online") | .id'
    """
    line = load(path)
    cameras = configs(line)
    states, note = _states(line, list(cameras))
    now = datetime.now(UTC)
    if in_json:
        rows = [as_json(config, states.get(name), now) for name, config in cameras.items()]
        click.echo(json.dumps({"cameras": rows, "notes": [note] if note else []}))
        return
    if not cameras:
        click.echo("the line has no camera yet: `andon camera add` makes one known")
        return
    console = Console() if sys.stdout.isatty() else Console(width=WIDTH)
    console.print(_table(cameras, states, now))
    if note:
        click.echo(note, err=True)


@click.command()
@click.argument("camera_id", metavar="ID")
@config_option()
@click.option("--json", "in_json", is_flag=True, help="Print one JSON object.")
def show(camera_id: str, path: Path, *, in_json: bool) -> None:
    """Show one camera: how it does, and what is set for it. All else is as by default.

    \b
    Example:
      andon camera show press-7
    """
    line = load(path)
    cameras = configs(line)
    if camera_id not in cameras:
        raise unknown(camera_id, cameras)
    config = cameras[camera_id]
    states, note = _states(line, [camera_id])
    state, now = states.get(camera_id), datetime.now(UTC)
    click.echo(json.dumps(as_json(config, state, now)) if in_json else _rows(config, state, now))
    if note:
        click.echo(note, err=True)


def _states(line: Settings, cameras: Sequence[str]) -> tuple[dict[str, LiveState], str]:
    """The states, and why there are none."""
    try:
        return asyncio.run(read_live(line.redis, cameras)), ""
    except FatalError as error:
        return {}, f"the cameras' states are unknown: {error}"


def _table(cameras: Mapping[str, CameraConfig], states: Mapping[str, LiveState], now: datetime) -> Table:
    table = Table("camera", "state", "owner")
    table.add_column("fps", justify="right")
    table.add_column("lag s", justify="right")
    with_sites = any((config.settings or {}).get("site") for config in cameras.values())
    for heading in ("pool", *(("site",) if with_sites else ()), "source", "detail"):
        table.add_column(heading)
    for name, config in cameras.items():
        state, section = states.get(name), config.settings or {}
        places = [str(section.get("pool", "default")), *([str(section.get("site") or "-")] if with_sites else [])]
        cells = [*_known(config, state, now), *places, shown(str(section.get("url"))), _detail(state, now)]
        table.add_row(name, *map(escape, cells))
    return table


def _known(config: CameraConfig, state: LiveState | None, now: datetime) -> tuple[str, str, str, str]:
    """State, owner, frames a second, lag."""
    enabled = (config.settings or {}).get("enabled", True)
    if state is None:
        return "unknown" if enabled else "disabled", "-", "-", "-"
    lag_s = state.lag_s(now)
    return (
        state.state if enabled else "disabled",
        state.ingester or "-",
        "-" if state.fps is None else f"{state.fps:.1f}",
        "-" if lag_s is None else f"{lag_s:.1f}",
    )


def _detail(state: LiveState | None, now: datetime) -> str:
    if state is None:
        return "no ingester has reported it yet"
    heard_s = (now - state.updated_at).total_seconds() if state.updated_at else 0.0
    old = heard_s > SILENT_S and state.state != "stopped"
    return ", ".join(text for text in (state.detail, f"last heard of {heard_s:.0f} s ago" if old else "") if text)


def _rows(config: CameraConfig, state: LiveState | None, now: datetime) -> str:
    names = ("state", "owner", "fps", "lag s")
    rows = [("camera", config.camera_id), *zip(names, _known(config, state, now), strict=True)]
    rows += [("detail", _detail(state, now))] if _detail(state, now) else []
    if state is not None:
        rows += [("session", state.session or "-"), ("captured", str(state.captured))]
    rows += [("from", config.origin or "andon camera add"), ("changed", f"{config.at:%Y-%m-%d %H:%M:%S} UTC")]
    rows += [
        (f"set {key}", value if isinstance(value, str) else json.dumps(value))
        for key, value in (config.settings or {}).items()
    ]
    return "\n".join(f"{name:<20}{value}" for name, value in rows)
