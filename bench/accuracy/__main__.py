"""`python -m bench.accuracy`: unseen lines at four speeds through the whole of Andon, beside their truth."""

import json
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console

from bench.__main__ import WIDTH, machine
from bench.accuracy import box_precision, event_score, line_clips, verdict_matching
from bench.accuracy.line_clips import Watched
from bench.accuracy.line_run import Said, run
from bench.accuracy.report import AIMS, Accuracy, Speed
from bench.harness.context import Room
from bench.harness.report import rows_table
from bench.harness.servers import servers
from sample_streams import model_card

PARTS = 80
"""For each of eight cameras: 640, of which a quarter is bad."""
QUICK_PARTS = 4


@click.command()
@click.option("--parts", type=click.IntRange(1), default=PARTS, show_default=True, help="For each of eight cameras.")
@click.option("--quick", is_flag=True, help=f"{QUICK_PARTS} parts: to see that it works, not to believe.")
@click.option("--embedded", is_flag=True, help="The embedded broker, even where ANDON_KAFKA_HOME is set.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), default=Path("bench/out"), show_default=True)
def main(parts: int, out: Path, *, quick: bool, embedded: bool) -> None:
    """How many bad parts are caught, how many good ones rejected; exits 0 whatever it finds.

    \b
    Example:
      python -m bench.accuracy --parts 20
    """
    began = time.monotonic()
    out.mkdir(parents=True, exist_ok=True)
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    with tempfile.TemporaryDirectory(prefix="andon-accuracy-") as folder:
        room_folder = Path(folder)
        with servers(room_folder / "servers", embedded=embedded or None) as running:
            about = machine(running, quick=quick)
            room = Room(room_folder, running, quick, lambda text: console.print(text, highlight=False, markup=False))
            watched = drawn(room, QUICK_PARTS if quick else parts)
            room.say(f"{sum(item.truth.n_frames for item in watched)} frames through the line ...")
            found = judged(watched, run(room, watched), room_folder)
    show(found, console)
    digest = model_card.digest(model_card.MODEL)
    seconds = round(time.monotonic() - began, 1)
    document = {**found.as_json(), "model": digest, "machine": about, "seconds": seconds}
    path = out / "accuracy.json"
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    console.print(f"{path} ({seconds:.0f} s)", highlight=False, soft_wrap=True)


def drawn(room: Room, parts: int) -> list[Watched]:
    """Clips of the lines, written into a folder of the room."""
    folder = room.new_folder("clips")
    room.say("drawing ...")
    return line_clips.draw_all(folder, line_clips.specs(parts))


def judged(watched: Sequence[Watched], said: Said, cache: Path) -> Accuracy:
    """What the line said, held against the truth. `cache`: ultralytics' settings lie below it."""
    speeds = sorted({item.parts_per_minute for item in watched})
    truths = {item.camera_id: item.truth for item in watched}
    at_speed = [
        _speed(speed, [one for one in watched if one.parts_per_minute == speed], said, cache) for speed in speeds
    ]
    return Accuracy(at_speed, box_precision.measured(truths, said.inspections, cache))


def _speed(speed: int, watched: Sequence[Watched], said: Said, cache: Path) -> Speed:
    truths = {item.camera_id: item.truth for item in watched}
    matched = [
        verdict_matching.match(name, truth, [one for one in said.verdicts if one.camera_id == name])
        for name, truth in truths.items()
    ]
    seen = [one for one in said.inspections if one.camera_id in truths]
    return Speed(
        parts_per_minute=speed,
        parts=[part for camera in matched for part in camera.parts],
        ghosts=[ghost.verdict for camera in matched for ghost in camera.ghosts],
        events=event_score.by_class(truths, seen, said.defects),
        boxes=box_precision.measured(truths, seen, cache),
    )


def show(found: Accuracy, console: Console) -> None:
    """For people."""
    for title, rows in found.tables().items():
        console.print(rows_table(title, rows))
    figures = found.figures()
    aims: list[dict[str, object]] = [
        {
            "aim": aim.what,
            "asked": aim.shown,
            "measured": f"{figures[aim.key]:g}",
            "": "met" if aim.met(figures[aim.key]) else "missed",
        }
        for aim in AIMS
    ]
    console.print(rows_table("aims", aims))


if __name__ == "__main__":
    main()
