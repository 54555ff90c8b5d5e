"""The options that describe a line to draw."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from sample_streams.spec import FASTEST, SLOWEST, LineSpec, Look

Command = TypeVar("Command", bound=Callable[..., Any])

_LINE, _LOOK = LineSpec(), Look()
_SHARE = click.FloatRange(0, 1)
_OPTIONS = (
    click.option("--parts-per-minute", type=click.FloatRange(SLOWEST, FASTEST), default=_LINE.parts_per_minute),
    click.option("--seconds", type=click.FloatRange(1), default=20.0, help="How long a line is watched."),
    click.option("--fps", type=click.IntRange(1, 240), default=_LINE.fps),
    click.option("--defect-rate", type=_SHARE, default=_LINE.defect_rate, help="Share of parts with a defect."),
    click.option("--second-defect-rate", type=_SHARE, default=_LINE.second_defect_rate, help="Of these, with two."),
    click.option(
        "--exposure-ms", type=click.FloatRange(0, 100), default=_LOOK.exposure_s * 1000, help="What moves smears."
    ),
    click.option("--noise", type=click.FloatRange(0, 50), default=_LOOK.noise_grey, help="In grey levels."),
    click.option("--flicker", type=_SHARE, default=_LOOK.flicker, help="Of the lamps, at 100 Hz, relative."),
    click.option("--light-gradient", type=_SHARE, default=_LOOK.light_gradient, help="From side to side, relative."),
)


def line_options(command: Command) -> Command:
    """Give the command the options that `line` takes."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def line(seed: int, values: dict[str, Any]) -> LineSpec:
    """The line with this seed and these options."""
    look = Look(
        exposure_s=values["exposure_ms"] / 1000,
        noise_grey=values["noise"],
        flicker=values["flicker"],
        light_gradient=values["light_gradient"],
    )
    return LineSpec(
        seed=seed,
        fps=values["fps"],
        n_frames=round(values["seconds"] * values["fps"]),
        parts_per_minute=values["parts_per_minute"],
        defect_rate=values["defect_rate"],
        second_defect_rate=values["second_defect_rate"],
        look=look,
    )
