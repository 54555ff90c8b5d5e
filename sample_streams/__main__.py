"""`python -m sample_streams`: draw lines as clips, frames or data sets, train the demo model, serve clips."""

import time
from pathlib import Path
from typing import Any

import click
import cv2

from sample_streams import clips, dataset, serve
from sample_streams.model_card import MODEL
from sample_streams.options import line, line_options
from sample_streams.render import LineRenderer

_FOLDER = click.Path(path_type=Path, file_okay=False)


@click.group(help=__doc__, context_settings={"show_default": True})
def main() -> None:
    """Draw synthetic lines, train the demo model, serve clips."""


@main.command(name="clips")
@click.option("--out", type=_FOLDER, default=clips.FOLDER)
@click.option("--seed", type=int, help="Of the first clip. Without it: the four clips of the demo, as they are.")
@click.option("--count", type=click.IntRange(1), default=1, help="How many clips, each of a seed of its own.")
@line_options
def write_clips(out: Path, seed: int | None, count: int, **values: Any) -> None:
    """Draw and encode clips, each with its truth beside it.

    Example: python -m sample_streams clips --out build/lines --seed 7 --parts-per-minute 240 --seconds 60
    """
    if seed is None:
        _without_seed(count)
    lines = clips.CLIPS if seed is None else {f"line-{one}": line(one, values) for one in range(seed, seed + count)}
    for path in clips.write_all(out, lines):
        click.echo(f"{path} {path.stat().st_size} bytes")


def _without_seed(count: int) -> None:
    context = click.get_current_context()
    given = [name for name in context.params if name not in ("out", "seed") and _given(context, name)]
    if given:
        raise click.UsageError(f"the demo's clips are what they are: --{given[0].replace('_', '-')} needs a --seed")


def _given(context: click.Context, name: str) -> bool:
    return context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE


@main.command(name="frames")
@click.option("--out", type=_FOLDER, required=True)
@click.option("--seed", type=int, default=0)
@click.option("--every", type=click.IntRange(1), default=30, help="Write every Nth frame.")
@line_options
def write_frames(out: Path, seed: int, every: int, **values: Any) -> None:
    """Draw a line's frames, write some of them as PNG to look at, and print how fast they were drawn.

    Example: python -m sample_streams frames --out build/look --seed 7 --parts-per-minute 240
    """
    out.mkdir(parents=True, exist_ok=True)
    spec = line(seed, values)
    camera, spent_s = LineRenderer(spec), 0.0
    for index in range(spec.n_frames):
        begun = time.process_time()
        image = camera.frame(index)
        spent_s += time.process_time() - begun
        if index % every == 0:
            cv2.imwrite(str(out / f"{seed}-{index:05d}.png"), image)
    click.echo(f"{spec.n_frames} frames, {len(camera.parts)} parts, {spec.n_frames / spent_s:.0f} frames a CPU second")


@main.command(name="dataset")
@click.option("--out", type=_FOLDER, required=True)
@click.option("--seed", type=int, default=dataset.TRAIN_SEED, help="Of the first picture to train on.")
@click.option("--train", type=click.IntRange(0), default=2000, help="Pictures to train on.")
@click.option("--val", type=click.IntRange(0), default=200, help="Pictures to choose the best epoch by.")
@click.option("--test", type=click.IntRange(0), default=400, help="Pictures to measure the model on.")
def write_dataset(out: Path, seed: int, train: int, val: int, test: int) -> None:
    """Draw a data set in YOLO format: each picture from another line, of any speed, light and noise.

    Example: python -m sample_streams dataset --out build/line --train 500 --val 100 --test 0
    """
    if not train + val + test:
        raise click.UsageError("a data set needs pictures: one of --train, --val and --test above 0")
    click.echo(dataset.build(out, dataset.splits(train, val, test, seed), click.echo))


@main.command()
@click.option("--epochs", type=int, default=18)
@click.option("--train-images", type=int, default=2000)
@click.option("--val-images", type=int, default=200)
@click.option("--test-images", type=int, default=400)
@click.option("--imgsz", type=int, default=320)
@click.option("--threads", type=int, help="By default one for each core.")
@click.option("--work", type=click.Path(path_type=Path), default=Path("build/demo"))
@click.option("--out", type=click.Path(path_type=Path), default=MODEL)
@click.option("--validate-only", is_flag=True, help="Measure the weights at --out and write their card.")
def train(work: Path, out: Path, validate_only: bool, **sizes: int) -> None:
    """Train the demo model from scratch (under an hour on one core); a second start resumes.

    Example: python -m sample_streams train --work build/demo
    """
    from sample_streams import train as training  # noqa: PLC0415 - it loads torch, which the other commands do not need

    run = training.DemoTraining(work=work, out=out, report=click.echo, **sizes)
    card = training.validate(run) if validate_only else training.train(run)
    click.echo(card["metrics"])


@main.command(name="serve")
@click.option("--port", type=int, required=True)
@click.option("--folder", type=click.Path(path_type=Path, exists=True), default=clips.FOLDER)
@click.option("--host", default=serve.HOST, help="The address to listen at: for containers, their network's gateway.")
def serve_clips(port: int, folder: Path, host: str) -> None:
    """Serve a folder's clips as RTSP cameras until SIGTERM or Ctrl-C.

    Example: python -m sample_streams serve --port 8554
    """
    serve.run(folder, port, host)


if __name__ == "__main__":
    main()
