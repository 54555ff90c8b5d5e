"""`andon camera discover`: the cameras of a network, as lines ready for `andon camera add`."""

import asyncio
import json
from typing import TYPE_CHECKING

import click

from andon.errors import ConfigError, FatalError
from ingest.industrial import Industrial, line_of, searched_industrial

if TYPE_CHECKING:  # its libraries come with an extra
    from ingest.onvif.discovery import Found

MOST = 256
"""Cameras that are listed. More than that is no line's network, or somebody who answers in other names."""


@click.command()
@click.argument("hosts", nargs=-1, metavar="[HOST[:PORT]]...")
@click.option("--interface", help="Search only in this interface's network: its name, or an address of this machine.")
@click.option("--login", help="For cameras that want one: 'USER:${VARIABLE}' or 'USER:${file:PATH}'.")
@click.option("--seconds", default=4.0, show_default=True, type=click.FloatRange(0.1, 60), help="How long to search.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def discover(
    hosts: tuple[str, ...], interface: str | None, login: str | None, seconds: float, *, as_json: bool
) -> None:
    """Find ONVIF cameras and print, for each of their streams, the line that adds it; and industrial cameras.

    Searches by multicast (WS-Discovery), which no router passes on; with HOST it asks just these. The password stays in
    the environment or a file: the lines refer to it. Exits with 1 if no camera says where its stream is. Industrial
    cameras (GigE Vision, USB3 Vision) are searched for everywhere on this machine, unless HOST or --interface is given.

    \b
    Example:
      andon camera discover --interface eth1
      andon camera discover --login 'viewer:${CAMERA_PASSWORD}'
      andon camera discover 192.168.20.15 --login 'viewer:${file:/run/secrets/camera}' --json
    """
    found = _found(hosts, interface, login, seconds)
    industrial = Industrial() if hosts or interface else searched_industrial()
    if as_json:
        notes = [*found.notes, *industrial.notes]
        click.echo(json.dumps(found.as_json() | {"industrial": industrial.as_json(), "notes": notes}))
    else:
        _print(found)
        _print_industrial(industrial)
    if not industrial.cameras and not any(
        suggestion for device in found.devices for suggestion in found.suggestions(device)
    ):
        raise FatalError(_nothing(found, hosts, seconds))


def _found(hosts: tuple[str, ...], interface: str | None, login: str | None, seconds: float) -> "Found":
    try:
        from ingest.onvif.discovery import named, searched  # noqa: PLC0415
        from ingest.onvif.login import OnvifLogin  # noqa: PLC0415
        from ingest.onvif.probing import OnvifSearch, own_addresses  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise ConfigError(f"`andon camera discover` needs {error.name}: pip install 'andon[ingest,onvif]'") from None
    credentials = OnvifLogin.parse(login) if login is not None else None
    if hosts:
        return asyncio.run(named(hosts, credentials))
    return asyncio.run(searched(OnvifSearch(own_addresses(interface), seconds, MOST), credentials))


def _print(found: "Found") -> None:
    for device in found.devices:
        if device.fault:
            click.echo(f"{device.answer.host}: {device.fault}", err=True)
        for profile, suggestion in zip(device.profiles, found.suggestions(device), strict=True):
            if suggestion is None:
                click.echo(f"{device.answer.host}: {profile.name}: its address is no rtsp:// url", err=True)
            else:
                click.echo(suggestion.line)
    for note in found.notes:
        click.echo(note, err=True)


def _print_industrial(industrial: Industrial) -> None:
    for camera in industrial.cameras:
        click.echo(line_of(camera))
    for note in industrial.notes:
        click.echo(note, err=True)


def _nothing(found: "Found", hosts: tuple[str, ...], seconds: float) -> str:
    if hosts or found.devices:
        return "no camera that says where its stream is"
    return (
        f"no ONVIF camera answered within {seconds:g} s: are they in this network, and is ONVIF switched on in them?"
        " --interface chooses the network; hosts behind a router can be named"
    )
