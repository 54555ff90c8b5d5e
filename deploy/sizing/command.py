"""`andon size`: what a line needs for its number of cameras, before anything is bought."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, get_args

import click
from rich.console import Console, Group
from rich.table import Table

from deploy.sizing.costs import measured_costs, published_costs
from deploy.sizing.measured import Encoding, read
from deploy.sizing.needs import Figure, Plant, needs
from deploy.sizing.published import CPU, GPUS, MODELS, PUBLISHED_IMGSZ
from deploy.sizing.sizes import DurationType, ResolutionType, shown
from deploy.sizing.speed_choice import chosen_speed


@click.command()
@click.option("--cameras", type=click.IntRange(1), required=True)
@click.option("--fps", type=click.FloatRange(0.01), default=30.0, show_default=True, help="Of each camera.")
@click.option("--resolution", type=ResolutionType(), default="1080p", show_default=True, help="Or pixels: 1920x1200.")
@click.option(
    "--encoding",
    type=click.Choice(get_args(Encoding)),
    default="passthrough",
    show_default=True,
    help="How H.264 travels, as `encoding` of a camera says; `auto` is passthrough.",
)
@click.option("--model", help=f"One of {', '.join(MODELS)}; without it, the measured one.")
@click.option("--gpu", help=f"One of {', '.join((*GPUS, CPU))}; without it, the measured one.")
@click.option("--imgsz", type=click.IntRange(32), help=f"Pixels of the model's input; without it, {PUBLISHED_IMGSZ}.")
@click.option("--latency", type=DurationType(), default="1s", show_default=True, help="Capture to inspection, p99.")
@click.option("--retention", type=DurationType(), default="1h", show_default=True, help="For which frames are kept.")
@click.option("--replication", type=click.IntRange(1), default=3, show_default=True, help="Copies of each record.")
@click.option("--measured", "file", type=click.Path(path_type=Path, dir_okay=False), help="What `andon bench` wrote.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def size(
    file: Path | None, *, as_json: bool, encoding: Encoding, model: str | None, gpu: str | None, **options: Any
) -> None:
    """Say what a line needs: partitions, workers, brokers, network, disk, cores, memory.

    Each figure says how it was computed, and whether it rests on what `andon bench` measured on your machine
    (--measured), on what others have published, or on an assumption. Nothing is started or downloaded.

    \b
    Example:
      andon size --cameras 200 --fps 30 --resolution 1080p --model yolo26s --gpu l4
      andon bench --out bench.json && andon size --cameras 12 --fps 15 --measured bench.json
      andon size --cameras 200 --model yolo26s --gpu l4 --retention 24h --json | jq .figures.workers.value
    """
    bench = read(file) if file else None
    speed = chosen_speed(model, gpu, options["imgsz"], bench)
    plant = _plant(options)
    if bench is not None and speed.basis == "measured":
        plant = replace(plant, worker_cores=bench.machine.cores)
    at = plant.resolution
    costs = measured_costs(at, bench, encoding) if bench else published_costs(at, encoding)
    figures = needs(plant, costs, speed)
    if as_json:
        click.echo(json.dumps(as_document(plant, figures), indent=2))
    else:
        Console(markup=False, highlight=False).print(as_table(plant, figures))


def _plant(options: dict[str, Any]) -> Plant:
    keys = ("cameras", "fps", "resolution", "latency", "retention", "replication")
    return Plant(*(options[key] for key in keys))


def as_document(plant: Plant, figures: list[Figure]) -> dict[str, Any]:
    """`figures` by their keys, in base units."""
    named = {figure.key: {key: value for key, value in asdict(figure).items() if key != "key"} for figure in figures}
    return {"asked": asdict(plant), "figures": named}


def as_table(plant: Plant, figures: list[Figure]) -> Group:
    """A line for each figure; the sources stand below it by their numbers."""
    sources = list(dict.fromkeys(figure.source for figure in figures if figure.source))
    title = f"{plant.cameras} cameras, {plant.resolution}, {plant.fps:g} frames/s each"
    table = Table("figure", title=title, title_justify="left", min_width=len(title))
    table.add_column("value", justify="right", no_wrap=True)
    table.add_column("how")
    table.add_column("basis", no_wrap=True)
    for figure in figures:
        number = f" [{sources.index(figure.source) + 1}]" if figure.source else ""
        table.add_row(figure.name, shown(figure.value, figure.unit), figure.how, figure.basis + number)
    return Group(table, *(f"[{number}] {source}" for number, source in enumerate(sources, 1)))
