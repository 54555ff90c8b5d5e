"""`andon camera test`: what a camera delivers."""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import click

from andon.cameras.edits import unknown
from andon.cameras.sections import settings_of
from andon.clock import SystemClock
from andon.config import expanded, load
from andon.errors import ConfigError, FatalError
from andon.settings import CameraSettings, Settings
from ingest.commands.camera_registry import configs
from ingest.commands.camera_report import because, facts, table
from ingest.encode import encode
from ingest.probe import Probe, probe
from ingest.sources.choice import open_source
from ingest.sources.encoding import decoded, travels


@click.command()
@click.argument("url")
@click.option("--seconds", default=3.0, show_default=True, type=click.FloatRange(min=0.1), help="How long to measure.")
@click.option("--snapshot", type=click.Path(path_type=Path, dir_okay=False), help="Save a picture here, as JPEG.")
@click.option("--transport", default="tcp", show_default=True, type=click.Choice(["tcp", "udp"]), help="RTSP over it.")
@click.option("--ca-file", type=click.Path(dir_okay=False), help="A PEM file that verifies an rtsps:// camera.")
@click.option("--tls", default="verify", type=click.Choice(["verify", "insecure"]), help="insecure: verify nothing.")
@click.option("-c", "--config", "line", type=click.Path(path_type=Path), help="Take that line's camera of this id.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def test(url: str, seconds: float, snapshot: Path | None, line: Path | None, *, as_json: bool, **given: object) -> None:
    """Open a camera and say what it delivers: size, codec, rates, timestamps, jitter, drift, keyframes, B-frames,
    fields, orientation, colours; how its pictures travel; and what of it is bad for inspection.

    With -c, URL is the id of a camera of that line, which is opened with all its settings. ${VARIABLE} and ${file:PATH}
    in URL stand for a secret.

    \b
    Example:
      andon camera test 'rtsp://viewer:${CAMERA_PASSWORD}@192.168.1.20/stream1' --snapshot press-3.jpg
      andon camera test clip.mp4 --json
      andon camera test press-3 -c line.yaml
    """
    settings = _of_line(load(line), url) if line else _of_url(expanded(url, os.environ, "URL"), given)
    found = tried(settings, seconds)
    saved = _save(found, settings, snapshot)
    click.echo(json.dumps(facts(found, saved)) if as_json else table(found, saved))


def _of_url(url: str, given: Mapping[str, object]) -> CameraSettings:
    return CameraSettings.model_validate({"id": "test", "url": url, **given})


def _of_line(line: Settings, camera_id: str) -> CameraSettings:
    """A camera of line.yaml or of the registry, disabled or not. Raises ConfigError."""
    named = {camera.id: camera for camera in line.cameras}
    chosen = named.get(camera_id)
    if chosen is None:
        try:
            added = configs(line)
        except FatalError as error:
            raise ConfigError(
                f"camera {camera_id}: not in line.yaml, and the registry can't be asked: {error}"
            ) from None
        if camera_id not in added:
            raise unknown(camera_id, {*named, *added})
        chosen = settings_of(added[camera_id], line.cameras)
    return chosen if chosen.ca_file else chosen.model_copy(update={"ca_file": line.camera_ca_file})


def tried(settings: CameraSettings, seconds: float) -> Probe:
    """What the camera delivers. Raises FatalError: no whole picture; SourceError: it can't be opened."""
    clock = SystemClock()
    source = open_source(decoded(settings), clock)
    try:
        once = Once(lambda what: click.echo(f"it {what}", err=True))
        found = probe(source, seconds, clock, once, settings.keyframe_timeout_s)
    finally:
        source.close()
    if found.frames == found.corrupt:
        raise FatalError(f"the camera opened, but delivered no whole picture{because(found)}")
    return replace(found, travels=travels(found.info, settings))


class Once:
    """Says each text once."""

    def __init__(self, say: Callable[[str], object]) -> None:
        self._say = say
        self._texts: set[str] = set()

    def __call__(self, text: str) -> None:
        if text not in self._texts:
            self._texts.add(text)
            self._say(text)


def _save(found: Probe, settings: CameraSettings, snapshot: Path | None) -> str | None:
    if snapshot is None or found.last is None:
        return None
    try:
        snapshot.write_bytes(encode(found.last, settings).payload)
    except OSError as error:
        raise FatalError(f"{snapshot}: {error.strerror}") from None
    return str(snapshot)
