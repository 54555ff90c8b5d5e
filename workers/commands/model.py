"""`andon model`: a model's life from a dataset to a worker: train, val, export, prune, bench."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from rich.console import Console

from andon.errors import ConfigError
from andon.settings import ModelSettings

CACHE = ModelSettings().cache
RUNTIMES = ("auto", "torch", "openvino", "onnx", "tensorrt")
Command = TypeVar("Command", bound=Callable[..., object])
FILE = click.Path(path_type=Path)


@click.group()
def model() -> None:
    """A model of your own, from pictures to the worker that serves it."""


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
@click.option("--frames", type=int, help="At most so many pictures, spread evenly.")
@_cache
@_as_json
def val(weights: Path | None, data: Path | None, *, as_json: bool, **given: Any) -> None:
    """Measure a model on labelled pictures, by the detector that a worker serves: mAP50 and mAP50-95, by class.

    WEIGHTS is a .pt or what `andon model export` made of one. Without it, the demo's model is measured on the
    pictures that its card names, drawn anew, and prints the card's figures.

    \b
    Example:
      andon model val
      andon model val line.pt --data parts/data.yaml --runtime onnx
      andon model val line-int8-openvino --data parts/data.yaml --json | jq .map50_by_class
    """
    from workers.model import val as work  # noqa: PLC0415 - it loads torch

    given["cache"] = given["cache"].expanduser()
    weights, data = (weights, data) if weights else _shipped(given["cache"])
    asked = work.Asked(weights=weights, data=_named(data, weights), **given)
    done = work.validate(asked)
    if as_json:
        click.echo(json.dumps(work.as_json(done, asked), indent=2))
    else:
        Console().print(work.shown(done, asked), highlight=False)


@model.command()
@click.argument("weights", type=FILE)
@click.option("--to", type=click.Choice(["onnx", "openvino", "tensorrt"]), default="openvino", show_default=True)
@click.option("--precision", type=click.Choice(["fp32", "fp16", "int8"]), default="fp32", show_default=True)
@_data
@click.option("--out", type=FILE, default=Path(), show_default=True, help="The folder that it is put in.")
@click.option("--max-loss", type=float, default=0.03, show_default=True, help="mAP50 that it may lose.")
@click.option("--frames", "most", type=int, default=200, show_default=True, help="Pictures to measure on at most.")
@_cache
@_as_json
def export(weights: Path, data: Path | None, *, as_json: bool, **given: Any) -> None:
    """Make of a .pt what a worker serves as it is, with a manifest; refused if it sees otherwise than its source.

    INT8 needs --data: its scales are read off pictures. With --data the export is measured beside its source.

    \b
    Example:
      andon model export line.pt --to openvino --precision int8 --data parts/data.yaml --out models
      andon model export line.pt --to onnx
    """
    from workers.model import export as work  # noqa: PLC0415 - it loads torch
    from workers.model.dataset import read_dataset  # noqa: PLC0415 - it loads OpenCV

    given["cache"] = given["cache"].expanduser()
    order = work.Order(weights=weights, data=read_dataset(data) if data else None, **given)
    made = work.export(order, lambda text: click.echo(text, err=True))
    if as_json:
        click.echo(made.manifest.model_dump_json(exclude_none=True, indent=2))
    else:
        Console().print(work.shown(made), highlight=False, soft_wrap=True)


def _named(data: Path | None, weights: Path) -> Path:
    if data is None:
        raise ConfigError(f"{weights}: which pictures? --data names a dataset's YAML")
    return data


def _shipped(cache: Path) -> tuple[Path, Path]:
    """The demo's model, and the pictures that its card names, drawn now if they are not there.

    As `val` stand those that the card's figures were measured on; `train` has enough to calibrate INT8 on.
    """
    from sample_streams import dataset, model_card  # noqa: PLC0415 - only the demo's model needs the demo's line

    card = json.loads(model_card.path_of(model_card.MODEL).read_text(encoding="utf-8"))["data"]
    measured = "test" if "test" in card else "val"
    counts = {"train": 200, "val": 0} | {measured: card[measured]["images"]}
    folder = cache / f"demo-{model_card.digest(model_card.MODEL)[-12:]}"
    folder.mkdir(parents=True, exist_ok=True)
    parts = dataset.splits(**counts, seed=card["train"]["first_seed"])
    drawn = dataset.build(folder, parts, lambda text: click.echo(text, err=True))
    described = drawn.read_text(encoding="utf-8").replace(f"{measured}:", "val:", 1)
    described += f"# {measured}, as the card of {model_card.MODEL.name} names it\n"
    named = folder / "card.yaml"
    named.write_text(described, encoding="utf-8")
    return model_card.MODEL, named
