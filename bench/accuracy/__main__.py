"""`python -m bench.accuracy`: Andon inspects unseen lines at four speeds; its output is compared with the truth."""

import json
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import click
from rich.console import Console

from bench.__main__ import WIDTH, machine
from bench.accuracy import box_precision, event_score, line_clips, verdict_matching
from bench.accuracy.line_clips import LineClip
from bench.accuracy.line_run import LineOutput, run
from bench.accuracy.published import FILE, compared_figures, differences
from bench.accuracy.report import AIMS, Accuracy, Speed
from bench.harness.context import Context
from bench.harness.report_tables import rows_table
from bench.harness.servers import servers
from bench.harness.tuned import ensure_tuned
from sample_streams import model_card

PARTS = 80
"""For each of eight cameras, 640 in all; a quarter of them is bad."""
QUICK_PARTS = 4


@click.command()
@click.option("--parts", type=click.IntRange(1), default=PARTS, show_default=True, help="For each of eight cameras.")
@click.option("--quick", is_flag=True, help=f"{QUICK_PARTS} parts: shows that it works; the figures mean nothing.")
@click.option("--embedded", is_flag=True, help="Use the embedded broker even if ANDON_KAFKA_HOME is set.")
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), default=Path("bench/out"), show_default=True)
def main(parts: int, out: Path, *, quick: bool, embedded: bool) -> None:
    """Measure how many bad parts are caught and how many good ones are rejected. Exits 0 whatever the figures.

    \b
    Example:
      python -m bench.accuracy --parts 20
    """
    began = time.monotonic()
    out.mkdir(parents=True, exist_ok=True)
    console = Console(width=None if sys.stdout.isatty() else WIDTH)
    with tempfile.TemporaryDirectory(prefix="andon-accuracy-") as folder:
        root = Path(folder)
        with servers(root / "servers", embedded=embedded or None) as running:
            about = machine(running, quick=quick)
            context = Context(root, running, quick, partial(console.print, highlight=False, markup=False))
            tuned = ensure_tuned(None, context.say)
            clips = draw_clips(context, QUICK_PARTS if quick else parts)
            context.say(f"{sum(item.truth.n_frames for item in clips)} frames through the line ...")
            output = run(context, clips)
            accuracy = evaluate(clips, output, root)
    show(accuracy, console)
    compared = compared_figures(accuracy)
    console.print(rows_table("beside the published figures", [each.row() for each in differences(compared)]))
    console.print(f"served: {output.served}; precision: auto chose {tuned['choice']}", highlight=False)
    digest = model_card.digest(model_card.MODEL)
    seconds = round(time.monotonic() - began, 1)
    ran = {"model": digest, "served": output.served, "tuned": tuned, "machine": about, "seconds": seconds}
    document = {**accuracy.as_json(), "compared": compared, **ran}
    path = out / FILE
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    console.print(f"{path} ({seconds:.0f} s)", highlight=False, soft_wrap=True)


def draw_clips(context: Context, parts: int) -> list[LineClip]:
    """Draw the lines' clips into a new folder of the run."""
    folder = context.new_folder("clips")
    context.say("drawing ...")
    return line_clips.draw_all(folder, line_clips.specs(parts))


def evaluate(clips: Sequence[LineClip], output: LineOutput, cache: Path) -> Accuracy:
    """Compare the line's output with the truth. `cache` is a folder for ultralytics' settings."""
    speeds = sorted({item.parts_per_minute for item in clips})
    truths = {item.camera_id: item.truth for item in clips}
    at_speed = [
        _speed(speed, [one for one in clips if one.parts_per_minute == speed], output, cache) for speed in speeds
    ]
    return Accuracy(at_speed, box_precision.box_metrics(truths, output.inspections, cache))


def _speed(speed: int, clips: Sequence[LineClip], output: LineOutput, cache: Path) -> Speed:
    truths = {item.camera_id: item.truth for item in clips}
    matched = [
        verdict_matching.match(name, truth, [one for one in output.verdicts if one.camera_id == name])
        for name, truth in truths.items()
    ]
    inspections = [one for one in output.inspections if one.camera_id in truths]
    return Speed(
        parts_per_minute=speed,
        parts=[part for camera in matched for part in camera.parts],
        ghosts=[ghost.verdict for camera in matched for ghost in camera.ghosts],
        events=event_score.by_class(truths, inspections, output.defects),
        boxes=box_precision.box_metrics(truths, inspections, cache),
    )


def show(accuracy: Accuracy, console: Console) -> None:
    """Print the tables."""
    for title, rows in accuracy.tables().items():
        console.print(rows_table(title, rows))
    figures = accuracy.figures()
    aims: list[dict[str, object]] = [
        {
            "aim": aim.what,
            "required": aim.shown,
            "measured": f"{figures[aim.key]:g}",
            "": "met" if aim.met(figures[aim.key]) else "missed",
        }
        for aim in AIMS
    ]
    console.print(rows_table("aims", aims))


if __name__ == "__main__":
    main()
