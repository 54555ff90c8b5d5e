"""Plots as data; they are drawn into PNGs at the end of a run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

SIZE_IN = (8.0, 4.5)
DPI = 120


@dataclass(frozen=True, slots=True)
class Bars:
    """One bar for each label. `limit` draws a line at the aim."""

    name: str
    """The file's name, without .png."""
    title: str
    unit: str
    values: Mapping[str, float]
    limit: float | None = None


@dataclass(frozen=True, slots=True)
class StackedBars:
    """One bar for each label, made of parts on top of one another."""

    name: str
    title: str
    unit: str
    values: Mapping[str, Mapping[str, float]]
    """label -> part -> value"""


@dataclass(frozen=True, slots=True)
class Curves:
    """One curve for each label: points of x and y."""

    name: str
    title: str
    x: str
    y: str
    points: Mapping[str, Sequence[tuple[float, float]]]


Plot = Bars | StackedBars | Curves


def draw(plot: Plot, folder: Path) -> Path:
    """Draw `plot` into a PNG in the existing `folder`. Blocks for about a second."""
    import matplotlib as mpl  # noqa: PLC0415 - it takes a second to import

    mpl.use("Agg")
    from matplotlib import pyplot  # noqa: PLC0415 - after its backend is chosen

    figure, axes = pyplot.subplots(figsize=SIZE_IN, layout="constrained")
    axes.set_title(plot.title)
    match plot:
        case Bars():
            axes.bar(list(plot.values), list(plot.values.values()))
            axes.set_ylabel(plot.unit)
            if plot.limit is not None:
                axes.axhline(plot.limit, color="black", linestyle="--", linewidth=1)
        case StackedBars():
            floor = dict.fromkeys(plot.values, 0.0)
            for part in dict.fromkeys(part for parts in plot.values.values() for part in parts):
                heights = [parts.get(part, 0.0) for parts in plot.values.values()]
                axes.bar(list(plot.values), heights, bottom=list(floor.values()), label=part)
                floor = {label: floor[label] + height for label, height in zip(floor, heights, strict=True)}
            axes.set_ylabel(plot.unit)
            axes.legend()
        case Curves():
            for label, points in plot.points.items():
                axes.plot(
                    [x for x, _ in points], [y for _, y in points], marker="." if len(points) < 50 else "", label=label
                )
            axes.set_xlabel(plot.x)
            axes.set_ylabel(plot.y)
            axes.legend()
    path = folder / f"{plot.name}.png"
    figure.savefig(path, dpi=DPI)
    pyplot.close(figure)
    return path
