"""`andon bench`: how many cameras this machine carries, measured in two minutes."""

import os
import signal
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, get_args

import click
from rich.console import Console

from andon.config import load
from andon.errors import ConfigError
from andon.settings import DefectSettings, ModelSettings, PoolSettings, Settings
from deploy.local.demo.line_yaml import CONFIDENCE, PART
from deploy.local.interrupt import FORCED
from deploy.sizing.bench import report
from deploy.sizing.bench.steps import Bench, BenchOrder
from deploy.sizing.measured import BenchFigures, Encoding
from deploy.sizing.sizes import DurationType, ResolutionType
from sample_streams import model_card

USUAL = Path("line.yaml")


@click.command()
@click.option("-c", "--config", "path", type=click.Path(path_type=Path), help="The line whose model to measure.")
@click.option("--pool", default="default", show_default=True, help="The pool whose model and batch to measure.")
@click.option(
    "--resolution",
    "resolutions",
    type=ResolutionType(),
    multiple=True,
    default=("vga", "720p", "1080p"),
    show_default=True,
    help="Of the cameras; may be given several times.",
)
@click.option(
    "--fps",
    "rates",
    type=click.FloatRange(0.01),
    multiple=True,
    default=(5, 10, 15, 30),
    show_default=True,
    help="Of each camera; may be given several times.",
)
@click.option(
    "--encoding",
    type=click.Choice(get_args(Encoding)),
    default="passthrough",
    show_default=True,
    help="How the cameras' H.264 travels, as their `encoding` says; `auto` is passthrough.",
)
@click.option("--latency", "latency_s", type=DurationType(), default="1s", show_default=True, help="Aimed p99.")
@click.option("--seconds", type=click.FloatRange(5, 600), default=100.0, show_default=True, help="Duration.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write JSON there, for `andon size`.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
def bench(path: Path | None, pool: str, out: Path | None, *, as_json: bool, **options: Any) -> None:
    """Measure this machine: ms a frame for decoding, encoding and the model, and how many cameras it carries.

    It measures the model of line.yaml, or the demo's where there is none, alone and in a whole line that runs for some
    seconds; no camera, broker or store of your own is touched. On a machine that does nothing else it takes two minutes
    at most, besides the first export of a model. Ctrl-C prints what was measured so far, and exits with 130.

    \b
    Example:
      andon bench
      andon bench -c line.yaml --resolution 1080p --resolution 4k --fps 25 --latency 500ms --out bench.json
      andon bench --json | jq .carried
    """
    settings = _settings(path, pool)
    if out is not None:
        _save(out, "")  # fails before the work begins
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell starts what runs in the background without it
    run = Bench(BenchOrder(settings, pool, say=lambda text: click.echo(text, err=True), **options))
    with redirect_stdout(sys.stderr):  # libraries write there; stdout is for the result
        whole = run.run()
    _give(run.found, out, as_json=as_json)
    sys.exit(0 if whole else FORCED)


def _settings(path: Path | None, pool: str) -> Settings:
    if path is None and not USUAL.is_file():
        click.echo("no line.yaml here: the demo's model is measured", err=True)
        model = ModelSettings(weights=str(model_card.MODEL), confidence=CONFIDENCE)
        return Settings(pools={pool: PoolSettings(model=model)}, defects=DefectSettings(ignore=(PART,)))
    settings = load(path or USUAL)
    if pool not in settings.pools:
        raise ConfigError(f"--pool {pool}: no such pool; the pools are: {', '.join(settings.pools)}")
    # the measured line is none of the user's: nothing that is set for that may lead it to his servers
    for name in [name for name in os.environ if name.startswith("ANDON_")]:
        del os.environ[name]
    return settings


def _give(found: BenchFigures, out: Path | None, *, as_json: bool) -> None:
    document = found.model_dump_json(indent=2) + "\n"
    if out is not None:
        _save(out, document)
    if as_json:
        click.echo(document, nl=False)
    else:
        Console(markup=False, highlight=False).print(report.shown(found))


def _save(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"--out {path}: {error.strerror}") from None
