"""`andon camera`: try a camera before it goes into line.yaml."""

import json
from collections.abc import Callable
from pathlib import Path

import click

from andon.clock import SystemClock
from andon.errors import FatalError
from andon.settings import CameraSettings
from ingest.encode import encode
from ingest.probe import Probe, probe
from ingest.sources.choice import open_source

_CLOCKS = {"camera": "the camera's own", "host": "none: this host's at arrival", "file": "the file's own"}


@click.group()
def camera() -> None:
    """Try a camera.

    \b
    Example:
      andon camera test rtsp://user:password@192.168.1.20/stream1
    """


@camera.command()
@click.argument("url")
@click.option("--seconds", default=3.0, show_default=True, type=click.FloatRange(min=0.1), help="How long to measure.")
@click.option("--snapshot", type=click.Path(path_type=Path, dir_okay=False), help="Save a picture here, as JPEG.")
@click.option("--transport", default="tcp", show_default=True, type=click.Choice(["tcp", "udp"]), help="RTSP over it.")
@click.option("--ca-file", type=click.Path(dir_okay=False), help="A PEM file that verifies an rtsps:// camera.")
@click.option("--tls", default="verify", type=click.Choice(["verify", "insecure"]), help="insecure: verify nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def test(url: str, seconds: float, snapshot: Path | None, *, as_json: bool, **camera: object) -> None:
    """Open a camera and say what it delivers: size, codec, frame rate, timestamps, jitter.

    \b
    Example:
      andon camera test rtsp://user:password@192.168.1.20/stream1 --snapshot press-3.jpg
      andon camera test clip.mp4 --json
    """
    settings = CameraSettings.model_validate({"id": "test", "url": url, **camera})
    clock = SystemClock()
    source = open_source(settings, clock)
    try:
        found = probe(source, seconds, clock, Once(lambda what: click.echo(f"it {what}", err=True)))
    finally:
        source.close()
    if found.frames == found.corrupt:
        raise FatalError("the camera opened, but delivered no whole picture")
    saved = _save(found, settings, snapshot)
    click.echo(json.dumps(_facts(found, saved)) if as_json else _table(found, saved))


class Once:
    """Says each text once."""

    def __init__(self, say: Callable[[str], object]) -> None:
        self._say = say
        self._said: set[str] = set()

    def __call__(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            self._say(text)


def _save(found: Probe, settings: CameraSettings, snapshot: Path | None) -> str | None:
    if snapshot is None or found.last is None:
        return None
    try:
        snapshot.write_bytes(encode(found.last, settings).payload)
    except OSError as error:
        raise FatalError(f"{snapshot}: {error.strerror}") from None
    return str(snapshot)


def _facts(found: Probe, saved: str | None) -> dict[str, object]:
    return {
        "codec": found.info.codec,
        "width": found.info.width,
        "height": found.info.height,
        "fps_told": found.info.fps,
        "fps": round(found.fps, 2),
        "clock": found.info.clock,
        "jitter_ms": None if found.jitter_ms is None else round(found.jitter_ms, 2),
        "frames": found.frames,
        "corrupt": found.corrupt,
        "snapshot": saved,
        "notes": list(found.info.notes),
    }


def _table(found: Probe, saved: str | None) -> str:
    declared = "" if found.info.fps is None else f" (the stream says {found.info.fps:g})"
    rows = [
        ("picture", f"{found.info.width}x{found.info.height} {found.info.codec}"),
        ("rate", f"{found.fps:.2f} fps{declared}"),
        ("timestamps", _CLOCKS[found.info.clock]),
        ("jitter", "-" if found.jitter_ms is None else f"{found.jitter_ms:.1f} ms"),
        ("frames", f"{found.frames}, {found.corrupt} of them corrupt"),
    ]
    rows += [("snapshot", saved)] if saved else []
    rows += [("note", note) for note in found.info.notes]
    return "\n".join(f"{name:<12}{value}" for name, value in rows)
