"""`python -m sample_streams`: make the clips, train the demo model, serve the clips as cameras."""

from pathlib import Path

import click

from sample_streams import clips, serve
from sample_streams.model_card import MODEL


@click.group(help=__doc__)
def main() -> None:
    """Hold the commands together."""


@main.command(name="clips")
@click.option("--out", type=click.Path(path_type=Path), default=clips.FOLDER, show_default=True)
def write_clips(out: Path) -> None:
    """Draw and encode the four clips and their truth anew."""
    for path in clips.write_all(out):
        click.echo(f"{path} {path.stat().st_size} bytes")


@main.command()
@click.option("--epochs", type=int, default=28, show_default=True)
@click.option("--train-images", type=int, default=1000, show_default=True)
@click.option("--val-images", type=int, default=200, show_default=True)
@click.option("--imgsz", type=int, default=320, show_default=True)
@click.option("--threads", type=int, default=1, show_default=True)
@click.option("--work", type=click.Path(path_type=Path), default=Path("build/andon-demo"), show_default=True)
@click.option("--out", type=click.Path(path_type=Path), default=MODEL, show_default=True)
@click.option("--validate-only", is_flag=True, help="Measure the weights at --out and write their card.")
def train(work: Path, out: Path, validate_only: bool, **sizes: int) -> None:
    """Train the demo model from scratch (half an hour on two cores); started again, it goes on."""
    from sample_streams import train as training  # noqa: PLC0415 - it loads torch, which the others need not

    run = training.Training(work=work, out=out, **sizes)
    card = training.validate(run) if validate_only else training.train(run)
    click.echo(card["metrics"])


@main.command(name="serve")
@click.option("--port", type=int, required=True)
@click.option("--folder", type=click.Path(path_type=Path, exists=True), default=clips.FOLDER, show_default=True)
def serve_clips(port: int, folder: Path) -> None:
    """Serve a folder's clips as RTSP cameras on 127.0.0.1 until SIGTERM or Ctrl-C."""
    serve.run(folder, port)


if __name__ == "__main__":
    main()
