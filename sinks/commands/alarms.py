"""`andon alarms`: the line's alarms by hand."""

import asyncio
import getpass
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
from pydantic import ValidationError
from rich.console import Console
from rich.table import Table

from andon.alarms import Alarm, AlarmAction
from andon.alarms.requests import AlarmRequests, request
from andon.cli import config_option
from andon.clock import SystemClock
from andon.config import load
from andon.errors import ConfigError, FatalError, RetryableError
from andon.settings import Settings
from andon.wire import complaint
from sinks.store.alarm_rows import standing
from sinks.store.database import sqlite_file
from sinks.store.reading import StoreReader

ACTIONS: dict[AlarmAction, str] = {
    "acknowledge": "Say that the alarms are known.",
    "shelve": "Hide the alarms for a time; they come back by themselves.",
    "unshelve": "Bring shelved alarms back now.",
    "out_of_service": "Hide the alarms until somebody returns them to service.",
    "return_to_service": "Bring alarms back that are out of service.",
}


@click.group()
def alarms() -> None:
    """List the line's alarms, and act on them as a button of the board does.

    \b
    Example:
      andon alarms list
      andon alarms acknowledge press-3 --note "knife changed"
      andon alarms shelve press-3 press-3/defect/scratch --minutes 30
    """


@alarms.command(name="list")
@config_option()
@click.option("--camera", help="Only this camera.")
@click.option("--json", "as_json", is_flag=True, help="Print one line of JSON for each alarm.")
def list_(path: Path, camera: str | None, *, as_json: bool) -> None:
    """List the alarms that are not normal.

    \b
    Example:
      andon alarms list --camera press-3
    """
    found = asyncio.run(_standing(load(path)))
    found = [alarm for alarm in found if camera in (None, alarm.camera_id)]
    if as_json:
        for alarm in found:
            click.echo(alarm.model_dump_json())
        return
    Console(soft_wrap=True).print(_table(found)) if found else click.echo("No alarm stands.")


def _acting(action: AlarmAction, words: str) -> Callable[..., None]:
    @config_option()
    @click.argument("camera")
    @click.argument("alarm", nargs=-1)
    @click.option("--note", default="", help="Stands with the alarm, for others to read.")
    @click.option("--by", default="", help="Who acts. Default: this user at this host.")
    @click.option("--json", "as_json", is_flag=True, help="Print the request as one line of JSON.")
    def act(path: Path, camera: str, alarm: tuple[str, ...], *, as_json: bool, **more: Any) -> None:
        _send(load(path), camera, action, alarm, as_json=as_json, **more)

    if action == "shelve":
        act = click.option("--minutes", type=click.FloatRange(min=0.1, max=10_080), default=60.0, help="Default: 60.")(
            act
        )
    example = f"\b\nExample:\n  andon alarms {action.replace('_', '-')} press-3"
    act.__doc__ = f"{words} Without ALARM: all alarms of CAMERA that stand.\n\n{example}"
    return act


for _action, _words in ACTIONS.items():
    alarms.command(name=_action.replace("_", "-"))(_acting(_action, _words))


def _send(
    settings: Settings, camera: str, action: AlarmAction, alarm: tuple[str, ...], *, as_json: bool, **more: Any
) -> None:
    minutes = more.get("minutes")
    fields = {"note": more["note"]} | ({} if minutes is None else {"for_s": minutes * 60})
    by = more["by"] or f"{getpass.getuser()}@{socket.gethostname()}"
    try:
        alarm_request = request(camera, action, by, SystemClock().now(), alarm, **fields)
    except ValidationError as error:
        raise ConfigError(f"andon alarms: {complaint(error)}") from None
    asyncio.run(_sent(settings, alarm_request))
    click.echo(alarm_request.model_dump_json() if as_json else "Sent. The alarm changes when the line has taken it.")


async def _sent(settings: Settings, alarm_request: Any) -> None:
    async with AlarmRequests(settings.kafka) as requests:
        try:
            await requests.send(alarm_request)
        except RetryableError as error:
            raise FatalError(f"the request was not sent: {error}") from None


async def _standing(settings: Settings) -> list[Alarm]:
    url = settings.sinks.store.get_secret_value()
    file = sqlite_file(url)
    if file is not None and not file.exists():
        raise ConfigError(f"sinks.store: there is no {file}: has `andon sink` run with this line.yaml, in this folder?")
    reader = await StoreReader.open(url)
    try:
        return await reader.run(standing)
    except RetryableError as error:
        raise FatalError(str(error)) from None
    finally:
        await reader.close()


def _table(found: list[Alarm]) -> Table:
    table = Table("alarm", "severity", "state", "since", "raised", "by", "note")
    for alarm in found:
        since = f"{alarm.raised_at:%Y-%m-%d %H:%M:%S}"
        table.add_row(
            alarm.alarm_id,
            alarm.severity,
            alarm.state.replace("_", " "),
            since,
            str(alarm.count),
            alarm.by,
            alarm.note,
        )
    return table
