"""`andon model`: train, val, export, prune, bench, tune: a model's life from a dataset to a worker."""

import json
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, TypeVar

import click
import yaml
from rich.console import Console

from andon.errors import ConfigError
from andon.settings import ModelSettings
from workers.commands.tune import tune

CACHE = ModelSettings().cache
RUNTIMES = ("auto", "torch", "openvino", "onnx", "tensorrt")
Command = TypeVar("Command", bound=Callable[..., object])
FILE = click.Path(path_type=Path)


@click.group()
def model() -> None:
    """A model of your own, from pictures to the worker that serves it."""


model.add_command(tune)


def _as_json(command: Command) -> Command:
    return click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")(command)


def _cache(command: Command) -> Command:
    help_text = "Folder for exports, drawn pictures and ultralytics' own settings."
    return click.option("--cache", type=FILE, default=Path(CACHE), show_default=True, help=help_text)(command)


def _data(command: Command) -> Command:
    return click.option("--data", type=FILE, help="A dataset in YOLO format: its YAML.")(command)


@model.command()
@click.argument("weights", type=FILE, required=False)
@_data
@click.option("--split", type=click.Choice(["train", "val", "test"]), default="val", show_default=True)
@click.option("--runtime", type=click.Choice(RUNTIMES), default="auto", show_default=True)
@click.option("--precision", type=click.Choice(["fp32", "fp16", "int8"]), help="Export the .pt in it first.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda:0, ...")
@click.option("--imgsz", type=int, help="Pixels of the model's input; by default what it was trained at.")
@click.option("--frames", type=int, help="Largest number of pictures, spread evenly.")
@_cache
@_as_json
def val(weights: Path | None, data: Path | None, *, as_json: bool, **given: Any) -> None:
    """Measure a model on labelled pictures with the detector that a worker serves: mAP50 and mAP50-95, by class.

    WEIGHTS is a .pt or an export that `andon model export` made from one. Without it, the demo's model is measured
    with torch on the pictures that its card names, which are drawn anew. That gives the card's figures.

    \b
    Example:
      andon model val
      andon model val line.pt --data parts/data.yaml --runtime onnx
      andon model val line-int8-openvino --data parts/data.yaml --json | jq .map50_by_class
    """
    from workers.model import val as work  # noqa: PLC0415 - it loads torch

    given["cache"] = given["cache"].expanduser()
    if weights is None and given["runtime"] == "auto":
        given |= {"runtime": "torch", "device": "cpu"}  # as the card's figures were measured
    weights, data = (weights, data) if weights else _demo(given["cache"])
    options = work.ValOptions(weights=weights, data=_named(data, weights), **given)
    with redirect_stdout(sys.stderr):  # libraries write their progress; stdout is for the result
        done = work.validate(options)
    if as_json:
        click.echo(json.dumps(work.as_json(done, options), indent=2))
    else:
        _print(work.shown(done, options))


@model.command()
@click.argument("weights", type=FILE)
@click.option("--to", type=click.Choice(["onnx", "openvino", "tensorrt"]), default="openvino", show_default=True)
@click.option("--precision", type=click.Choice(["fp32", "fp16", "int8"]), default="fp32", show_default=True)
@_data
@click.option("--out", type=FILE, default=Path(), show_default=True, help="Folder for the artifact.")
@click.option("--max-loss", type=float, default=0.03, show_default=True, help="Largest loss of mAP50.")
@click.option("--frames", "most", type=int, default=200, show_default=True, help="Pictures to measure on at most.")
@_cache
@_as_json
def export(weights: Path, data: Path | None, *, as_json: bool, **given: Any) -> None:
    """Export a .pt for a worker, with a manifest. An export that differs from its source is refused.

    INT8 needs --data, because its scales come from pictures. With --data the export is measured beside its source.

    \b
    Example:
      andon model export line.pt --to openvino --precision int8 --data parts/data.yaml --out models
      andon model export line.pt --to onnx
    """
    from workers.model import export as work  # noqa: PLC0415 - it loads torch
    from workers.model.dataset import read_dataset  # noqa: PLC0415 - it loads OpenCV

    given["cache"] = given["cache"].expanduser()
    order = work.ExportOrder(weights=weights, data=read_dataset(data) if data else None, **given)
    with redirect_stdout(sys.stderr):
        artifact = work.export(order, lambda text: click.echo(text, err=True))
    if as_json:
        click.echo(artifact.manifest.model_dump_json(exclude_none=True, indent=2))
    else:
        _print(work.shown(artifact))


@model.command()
@click.argument("data", type=FILE)
@click.option("--out", type=FILE, default=Path("model"), show_default=True, help="Folder of the run and its weights.")
@click.option("--model", "--weights", "model", default="yolo26n.yaml", show_default=True, help="Begin with this.")
@click.option("--epochs", type=click.IntRange(1), default=50, show_default=True)
@click.option("--imgsz", type=click.IntRange(32), default=320, show_default=True, help="Pixels of the model's input.")
@click.option("--batch", type=click.IntRange(1), help="Pictures in a step; by default 8, and 32 for each GPU.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, or GPUs: 0, or 0,1 for both.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="A setting of ultralytics.")
@click.option("--resume", is_flag=True, help="Continue the run in --out; the other options are ignored.")
@_cache
@_as_json
def train(data: Path, *, cache: Path, resume: bool, as_json: bool, settings: tuple[str, ...], **given: Any) -> None:
    """Train a model on a dataset in YOLO format, measure it, and write weights with a manifest.

    An interrupted run continues when the same command is given again. Nothing is downloaded: begin from scratch
    (yolo26n.yaml) or with weights on this machine. The model of a similar line, or the demo's, is a good start.

    \b
    Example:
      andon model train parts/data.yaml --out line --epochs 60
      andon model train parts/data.yaml --out line --model older.pt --device 0,1 --set flipud=0
    """
    from workers.model import train as work  # noqa: PLC0415 - it loads torch
    from workers.model.training_manifest import describe, shown  # noqa: PLC0415 - it loads torch

    training = work.Training(data=data, settings=_settings(settings), **given)
    with redirect_stdout(sys.stderr):
        trained = work.train(training, cache.expanduser(), resume=resume, say=lambda text: click.echo(text, err=True))
        manifest = describe(trained, data, cache.expanduser())
    if as_json:
        click.echo(manifest.model_dump_json(exclude_none=True, indent=2))
    else:
        _print(shown(trained.weights, manifest))


def _settings(pairs: tuple[str, ...]) -> dict[str, Any]:
    given = {}
    for pair in pairs:
        key, found, value = pair.partition("=")
        if not found:
            raise ConfigError(f"--set {pair}: expected KEY=VALUE")
        given[key] = yaml.safe_load(value)
    return given


@model.command()
@click.argument("weights", type=FILE)
@click.option("--data", type=FILE, required=True, help="A dataset in YOLO format: its YAML.")
@click.option("--amount", type=click.FloatRange(0.01, 0.95), default=0.3, show_default=True, help="Of the weights.")
@click.option(
    "--structured/--unstructured", default=False, show_default=True, help="Whole channels, or single weights."
)
@click.option("--epochs", type=click.IntRange(0), default=5, show_default=True, help="Of training after it.")
@click.option("--out", type=FILE, default=Path("pruned"), show_default=True, help="Folder of the run and its weights.")
@click.option("--frames", type=click.IntRange(1), help="Largest number of pictures to measure on.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu, or GPUs: 0, or 0,1 for both.")
@_cache
@_as_json
def prune(weights: Path, *, as_json: bool, **given: Any) -> None:
    """Set a part of a model's weights to zero, train on, and report the effect.

    Pruning alone brings no speed: dense runtimes multiply by zero as fast as by anything else.

    \b
    Example:
      andon model prune line.pt --data parts/data.yaml --amount 0.3 --out pruned
    """
    from workers.model import prune as work  # noqa: PLC0415 - it loads torch

    given["cache"] = given["cache"].expanduser()
    with redirect_stdout(sys.stderr):
        result = work.prune(work.Pruning(weights=weights, **given), lambda text: click.echo(text, err=True))
    if as_json:
        click.echo(json.dumps(work.as_json(result), indent=2))
    else:
        _print(work.shown(result))


@model.command()
@click.argument("weights", type=FILE, required=False)
@_data
@click.option(
    "--precision",
    "precisions",
    type=click.Choice(["fp32", "fp16", "int8"]),
    multiple=True,
    default=("fp32", "int8"),
    show_default=True,
)
@click.option("--frames", type=click.IntRange(1), help="Largest number of pictures, spread evenly.")
@click.option("--batch", type=click.IntRange(1), default=4, show_default=True, help="Pictures at once.")
@click.option("--turns", type=click.IntRange(1), default=7, show_default=True, help="How often each is timed.")
@click.option("--plot", type=FILE, help="Draw speed against mAP50 into this PNG.")
@click.option("--keep", type=FILE, help="A folder to keep the exports in.")
@_cache
@_as_json
def bench(weights: Path | None, data: Path | None, *, plot: Path | None, as_json: bool, **given: Any) -> None:
    """Compare a model's runtimes and precisions: ms a frame, timed in turns, and mAP.

    Without WEIGHTS: the demo's model, on the pictures that its card names.

    \b
    Example:
      andon model bench --plot bench.png
      andon model bench line.pt --data parts/data.yaml --precision fp32 --precision fp16 --precision int8
    """
    from workers.model import bench as work  # noqa: PLC0415 - it loads torch

    given["cache"] = given["cache"].expanduser()
    if plot is not None:
        work.plotting()  # fails before the work begins
    weights, data = (weights, data) if weights else _demo(given["cache"])
    contest = work.Contest(weights=weights, data=_named(data, weights), **given)
    with redirect_stdout(sys.stderr):
        result = work.bench(contest, lambda text: click.echo(text, err=True))
    if plot is not None:
        work.plot(result, plot)
    if as_json:
        click.echo(json.dumps(work.as_json(result, contest), indent=2))
    else:
        _print(work.shown(result, contest))


def _print(answer: Any) -> None:
    Console(markup=False, highlight=False).print(answer, soft_wrap=True)  # a path's [brackets] are no markup


def _named(data: Path | None, weights: Path) -> Path:
    if data is None:
        raise ConfigError(f"{weights}: which pictures? --data names a dataset's YAML")
    return data


def _demo(cache: Path) -> tuple[Path, Path]:
    """The demo's model and its data set. The package that draws them registers both: no stage imports the demo."""
    for entry in entry_points(group="andon.datasets", name="demo"):
        weights, data = entry.load()(cache, lambda text: click.echo(text, err=True))
        return weights, data
    raise ConfigError("WEIGHTS: name a model: the demo's is not installed here")
