"""`andon camera add`, `set`, `enable`, `disable` and `remove`: the line's cameras, changed while it runs."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import click
from pydantic import JsonValue

from andon.cameras.edits import assignments, checked, merged, unknown, with_settings
from andon.cameras.sections import Section, settings_of
from andon.cli import config_option
from andon.config import REFERENCE, load
from andon.errors import ConfigError
from andon.messages import CameraConfig
from andon.settings import Settings
from ingest.commands.camera_registry import Cameras, as_json, change, configs
from ingest.commands.camera_report import notes
from ingest.commands.camera_trial import tried
from ingest.sources.source import SourceError
from ingest.sources.urls import parse

TRIAL_S = 3.0
"""Long enough to notice a keyframe interval of more than 2 s."""
json_option = click.option("--json", "in_json", is_flag=True, help="Print one JSON object.")


@click.command()
@click.argument("url")
@click.option("--id", "camera_id", required=True, help="The camera's id, on boards, in alerts and in the account.")
@click.option("--set", "texts", multiple=True, metavar="KEY=VALUE", help="A setting of line.yaml's cameras.")
@click.option("--test", "trial", is_flag=True, help="Try the camera from this machine first.")
@config_option()
@json_option
def add(url: str, camera_id: str, texts: tuple[str, ...], path: Path, *, trial: bool, in_json: bool) -> None:
    """Add a camera to the line while it runs. An ingester takes it over within seconds.

    A password never stands in URL: ${VARIABLE} names a variable of the ingester, ${file:PATH} a file on its machine.

    \b
    Example:
      andon camera add 'rtsp://viewer:${CAMERA_PASSWORD}@192.168.1.20/stream1' --id press-7
      andon camera add rtsp://192.168.1.21/stream1 --id press-8 --set fps=10 --set policy=freshest --test
    """
    line = load(path)
    section = _checked(camera_id, merged({"url": url}, assignments(texts)), line)
    if any(camera.id == camera_id for camera in line.cameras):
        raise ConfigError(f"camera {camera_id}: {path} has one of this id: change it there, or choose another id")
    new = CameraConfig(camera_id=camera_id, settings=section, at=datetime.now(UTC))
    _require_new(camera_id, configs(line))
    if trial:
        for note in notes(tried(settings_of(new).model_copy(update=_authorities(section, line)), TRIAL_S)):
            click.echo(note, err=True)

    def wanted(cameras: Cameras) -> CameraConfig:
        _require_new(camera_id, cameras)
        return new

    change(line, camera_id, wanted)
    click.echo(
        json.dumps(as_json(new)) if in_json else f"{camera_id}: added; `andon camera show {camera_id}` says how it does"
    )


def _authorities(section: Section, line: Settings) -> dict[str, object]:
    return {} if section.get("ca_file") else {"ca_file": line.camera_ca_file}


def _require_new(camera_id: str, cameras: Cameras) -> None:
    if camera_id in cameras:
        raise ConfigError(f"camera {camera_id}: there is one already: `andon camera set {camera_id} ...` changes it")


@click.command("set")
@click.argument("camera_id", metavar="ID")
@click.argument("texts", nargs=-1, required=True, metavar="KEY=VALUE...")
@config_option()
@json_option
def set_(camera_id: str, texts: tuple[str, ...], path: Path, *, in_json: bool) -> None:
    """Change settings of a camera. Its capture starts anew with them; no other camera's does.

    The keys are those of a camera in line.yaml; a dot leads into a section. KEY=null brings the default back.

    \b
    Example:
      andon camera set press-7 fps=10 longest_side=1280
      andon camera set press-7 'roi=[0, 120, 1920, 800]' health.frozen_s=10
      andon camera set press-7 fps=null
    """
    _change(camera_id, assignments(texts), path, in_json=in_json)


@click.command()
@click.argument("camera_id", metavar="ID")
@config_option()
@json_option
def disable(camera_id: str, path: Path, *, in_json: bool) -> None:
    """Stop capturing a camera; its settings and its account stay.

    \b
    Example:
      andon camera disable press-7
    """
    _change(camera_id, {"enabled": False}, path, in_json=in_json)


@click.command()
@click.argument("camera_id", metavar="ID")
@config_option()
@json_option
def enable(camera_id: str, path: Path, *, in_json: bool) -> None:
    """Capture a disabled camera again.

    \b
    Example:
      andon camera enable press-7
    """
    _change(camera_id, {"enabled": True}, path, in_json=in_json)


def _change(camera_id: str, changes: Mapping[str, JsonValue], path: Path, *, in_json: bool) -> None:
    line = load(path)
    if "id" in changes:
        raise ConfigError(f"camera {camera_id}: an id is for ever, because the account hangs on it: add another camera")

    def wanted(cameras: Cameras) -> CameraConfig:
        present = _present(camera_id, cameras)
        section = _checked(camera_id, merged(present.settings or {}, changes), line)
        return with_settings(present, section, datetime.now(UTC))

    before, after = change(line, camera_id, wanted)
    assert before is not None
    assert after is not None
    click.echo(json.dumps(as_json(after)) if in_json else f"{camera_id}: {_difference(before, after)}")


@click.command()
@click.argument("camera_id", metavar="ID")
@config_option()
@json_option
def remove(camera_id: str, path: Path, *, in_json: bool) -> None:
    """Remove a camera from the line: what it has captured is inspected, its session ends, its account stays.

    \b
    Example:
      andon camera remove press-7
    """
    line = load(path)

    def nothing(cameras: Cameras) -> None:
        _present(camera_id, cameras)

    change(line, camera_id, nothing)
    if any(camera.id == camera_id for camera in line.cameras):
        click.echo(f"{camera_id} stands in {path} and comes back at the next start: remove it there, too", err=True)
    removed = {"id": camera_id, "removed": True}
    click.echo(json.dumps(removed) if in_json else f"{camera_id}: removed; `andon audit` keeps its account")


def _present(camera_id: str, cameras: Cameras) -> CameraConfig:
    if camera_id not in cameras:
        raise unknown(camera_id, cameras)
    return cameras[camera_id]


def _checked(camera_id: str, section: Section, line: Settings) -> Section:
    """As line.yaml's cameras are checked, without the secrets and the disks of ingesters. Raises ConfigError."""
    checked(camera_id, section, line)
    try:
        parse(REFERENCE.sub("reference", str(section["url"])))
    except SourceError as error:
        raise ConfigError(f"camera {camera_id}: {error}") from None
    return section


def _difference(before: CameraConfig, after: CameraConfig) -> str:
    """The settings that have changed, each as it can be given again."""
    old, new = before.settings or {}, after.settings or {}
    keys = [key for key in {**old, **new} if old.get(key) != new.get(key)]
    words = [f"{key}={_text(key, new)} (was {_text(key, old)})" for key in keys]
    return ", ".join(words) or "it was so already"


def _text(key: str, section: Section) -> str:
    if key not in section:
        return "the default"
    return "..." if key == "url" else json.dumps(section[key])
