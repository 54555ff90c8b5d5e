"""`andon model tune`: measures how this machine serves a pool's model fastest, and shows what was measured."""

from pathlib import Path

import click
from rich.console import Console

from andon.cli import config_option
from andon.config import load


@click.command()
@config_option()
@click.option("--pool", default="default", show_default=True, help="Which pool's model to measure.")
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="A folder of pictures, or a dataset's YAML, instead of frames of the pool's topic.",
)
@click.option(
    "--limit", "limit_s", type=click.FloatRange(10), default=180.0, show_default=True, help="Seconds at most."
)
@click.option("--show", is_flag=True, help="Measure nothing: show what was measured before.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of tables.")
def tune(path: Path, pool: str, data: Path | None, limit_s: float, *, show: bool, as_json: bool) -> None:
    """Measure in which runtime and precision this machine serves a pool's model fastest while it agrees with its .pt.

    Workers serve the choice from their next start on, on every machine with the same processor that shares the cache.
    INT8 is calibrated on frames of the line, which need no labels. A worker does the same at its first start for which
    the topic has frames.

    \b
    Example:
      andon model tune -c line.yaml
      andon model tune --data pictures/ --pool heavy
      andon model tune --show --json | jq '.[].reason'
    """
    from workers.tuning import shown  # noqa: PLC0415 - it loads OpenCV and the Kafka client

    settings = load(path)
    order = shown.order_of(settings, pool, limit_s)
    if not show:
        shown.measure(settings, pool, order, data)
    found = shown.records(order)
    if as_json:
        click.echo(shown.as_json(found, order))
    else:
        Console(markup=False, highlight=False).print(shown.shown(found, order), soft_wrap=True)
