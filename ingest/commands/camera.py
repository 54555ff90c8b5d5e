"""`andon camera`: find a camera, and try it before it goes into line.yaml."""

import json
from collections.abc import Callable
from pathlib import Path

import click

from andon.clock import SystemClock
from andon.config import load
from andon.errors import FatalError
from andon.settings import CameraSettings
from ingest.commands.discover import discover
from ingest.encode import encode
from ingest.probe import PACE, Keyframes, Probe, probe
from ingest.role import choose
from ingest.sources.choice import open_source
from ingest.sources.traits import SHORTER, Traits

_CLOCKS = {"camera": "the camera's own", "host": "none: this host's at arrival", "file": "the file's own"}


@click.group()
def camera() -> None:
    """Find and try cameras.

    \b
    Example:
      andon camera discover
      andon camera test rtsp://user:password@192.168.1.20/stream1
    """


camera.add_command(discover)


@camera.command()
@click.argument("url")
@click.option("--seconds", default=3.0, show_default=True, type=click.FloatRange(min=0.1), help="How long to measure.")
@click.option("--snapshot", type=click.Path(path_type=Path, dir_okay=False), help="Save a picture here, as JPEG.")
@click.option("--transport", default="tcp", show_default=True, type=click.Choice(["tcp", "udp"]), help="RTSP over it.")
@click.option("--ca-file", type=click.Path(dir_okay=False), help="A PEM file that verifies an rtsps:// camera.")
@click.option("--tls", default="verify", type=click.Choice(["verify", "insecure"]), help="insecure: verify nothing.")
@click.option("-c", "--config", "line", type=click.Path(path_type=Path), help="Take the camera of this id from there.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def test(url: str, seconds: float, snapshot: Path | None, line: Path | None, *, as_json: bool, **given: object) -> None:
    """Open a camera and say what it delivers: size, codec, frame rate, timestamps, keyframes, fields, orientation,
    colours.

    With -c, URL is the id of a camera in that file, which is opened with all its settings.

    \b
    Example:
      andon camera test rtsp://user:password@192.168.1.20/stream1 --snapshot press-3.jpg
      andon camera test clip.mp4 --json
      andon camera test press-3 -c line.yaml
    """
    settings = _of_line(line, url) if line else CameraSettings.model_validate({"id": "test", "url": url, **given})
    clock = SystemClock()
    source = open_source(settings, clock)
    try:
        found = probe(source, seconds, clock, Once(lambda what: click.echo(f"it {what}", err=True)))
    finally:
        source.close()
    if found.frames == found.corrupt:
        raise FatalError(f"the camera opened, but delivered no whole picture{_because(found)}")
    saved = _save(found, settings, snapshot)
    click.echo(json.dumps(_facts(found, saved)) if as_json else _table(found, saved))


def _of_line(path: Path, camera_id: str) -> CameraSettings:
    """A camera of line.yaml, disabled or not. Raises ConfigError."""
    settings = load(path)
    (chosen,) = choose(settings, frozenset({camera_id}))
    return chosen if chosen.ca_file else chosen.model_copy(update={"ca_file": settings.camera_ca_file})


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
    traits, keyframes = found.info.traits, found.keyframes
    return {
        "codec": found.info.codec,
        "width": found.info.width,
        "height": found.info.height,
        "fps_told": found.info.fps,
        "fps": round(found.fps, 2),
        "fps_arrived": _rounded(found.arrived_fps),
        "clock": found.info.clock,
        "timestamps_pace": _rounded(found.pace),
        "timestamps_jumps": found.jumps,
        "jitter_ms": _rounded(found.jitter_ms),
        "keyframe_interval_s": None if keyframes is None else round(keyframes.longest_s, 2),
        "keyframe_interval_complete": None if keyframes is None else keyframes.complete,
        "pixels": None if traits is None else _pixels(traits),
        "frames": found.frames,
        "corrupt": found.corrupt,
        "damage": found.damage,
        "snapshot": saved,
        "notes": _notes(found),
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


def _pixels(traits: Traits) -> dict[str, object]:
    """As the stream delivers them; the line gets them upright, with 8 bits, and deinterlaced if that is so noted."""
    return {
        "format": traits.pixel_format,
        "bits": traits.bits,
        "fields": traits.fields,
        "turned_degrees": None if traits.orientation is None else traits.orientation.degrees,
        "mirrored": traits.orientation is not None and traits.orientation.mirrored,
        "sample_aspect": f"{traits.sample_aspect.numerator}:{traits.sample_aspect.denominator}",
        "levels": traits.levels,
        "matrix": traits.matrix,
        "transfer": traits.transfer,
    }


def _notes(found: Probe) -> list[str]:
    """What a person may not expect: of the stream, and of the measurement."""
    notes = list(found.info.notes)
    keyframes, pace = found.keyframes, found.pace
    if keyframes is not None and keyframes.rare and not any(SHORTER in note for note in notes):
        notes.append(f"a keyframe {_interval(keyframes)}: whatever is lost spoils all pictures up to it; {SHORTER}")
    if pace is not None and abs(pace - 1) > PACE:
        notes.append(f"its timestamps advance {pace:.2f} s in 1 s: the host's clock will date its frames")
    if found.jumps:
        notes.append(f"its timestamps jump ({found.jumps} times)")
    return notes


def _interval(keyframes: Keyframes) -> str:
    return f"every {keyframes.longest_s:.1f} s" + ("" if keyframes.complete else " or more seldom")


def _because(found: Probe) -> str:
    return f" ({found.damage})" if found.damage else ""


def _table(found: Probe, saved: str | None) -> str:
    declared = "" if found.info.fps is None else f" (the stream says {found.info.fps:g})"
    traits = found.info.traits
    rows = [
        ("picture", f"{found.info.width}x{found.info.height} {found.info.codec}"),
        ("rate", f"{found.fps:.2f} fps{declared}"),
        ("timestamps", _CLOCKS[found.info.clock]),
        ("jitter", "-" if found.jitter_ms is None else f"{found.jitter_ms:.1f} ms"),
        ("frames", f"{found.frames}, {found.corrupt} of them corrupt{_because(found)}"),
    ]
    rows += [("arrival", f"{found.arrived_fps:.2f} fps")] if found.arrived_fps is not None else []
    rows += [("keyframes", _interval(found.keyframes))] if found.keyframes is not None else []
    rows += [(name.replace("_", " "), str(value)) for name, value in _pixels(traits).items()] if traits else []
    rows += [("snapshot", saved)] if saved else []
    rows += [("note", note) for note in _notes(found)]
    return "\n".join(f"{name:<16}{value}" for name, value in rows)
