"""`andon model bench`: one model in each runtime and precision of this machine, in ms a frame and mAP."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, get_args

from rich.console import Group
from rich.table import Table

from andon.errors import AndonError, ConfigError
from workers.detector import Detector, ModelInfo
from workers.model.dataset import Dataset, picture, read_dataset, samples
from workers.model.export import ExportOrder, export
from workers.model.measure import measure
from workers.model.timing import Speed, time_in_turns
from workers.model.val import ValOptions, open_at_least_confidence
from workers.runtimes.cache import Format
from workers.runtimes.installed import NEEDS
from workers.runtimes.manifest import ModelMetrics, Precision
from workers.runtimes.pytorch import cuda_available

Say = Callable[[str], None]
TIMED = 24
"""Pictures of a turn."""


@dataclass(frozen=True, slots=True)
class Contest:
    weights: Path
    data: Path
    cache: Path
    precisions: tuple[Precision, ...] = ("fp32", "int8")
    frames: int | None = None
    batch: int = 4
    turns: int = 7
    keep: Path | None = None
    """A folder for the exports. None: they are thrown away."""


@dataclass(frozen=True, slots=True)
class BenchRow:
    """The figures of one runtime and precision."""

    info: ModelInfo
    speed: Speed
    metrics: ModelMetrics
    size_bytes: int

    @property
    def name(self) -> str:
        return f"{self.info.runtime} {self.info.precision}"


@dataclass(frozen=True, slots=True)
class BenchReport:
    rows: tuple[BenchRow, ...]
    """The first is the source, served by torch."""
    left_out: dict[str, str]
    """By runtime and precision: why this machine could not run it."""


def bench(contest: Contest, say: Say) -> BenchReport:
    """Export, measure and time. Blocks for minutes. Raises ConfigError if the model or the dataset is unusable."""
    dataset = read_dataset(contest.data)
    contest.cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=contest.cache, prefix="bench-") as room:
        paths, left_out = _artifacts(contest, dataset, contest.keep or Path(room), say)
        detectors = [_opened(path, contest) for path in paths]
        metrics = []
        for detector in detectors:
            say(f"measuring {detector.info.runtime} {detector.info.precision}")
            metrics.append(measure(detector, dataset, "val", contest.cache, contest.frames).metrics)
        say(f"timing all of them, in {contest.turns} turns")
        pictures = [picture(sample.path) for sample in samples(dataset, "val", TIMED)]
        speeds = time_in_turns(detectors, pictures, contest.batch, contest.turns)
        columns = zip(detectors, speeds, metrics, paths, strict=True)
        rows = tuple(BenchRow(detector.info, speed, found, _size(path)) for detector, speed, found, path in columns)
    return BenchReport(rows, left_out)


def _artifacts(contest: Contest, dataset: Dataset, folder: Path, say: Say) -> tuple[list[Path], dict[str, str]]:
    paths, left_out = [contest.weights], {}
    for form in get_args(Format):
        for precision in contest.precisions:
            name = f"{form} {precision}"
            reason = _missing(form)
            order = ExportOrder(contest.weights, form, precision, folder, contest.cache, dataset, measured=False)
            try:
                if reason:
                    raise ConfigError(reason)
                paths.append(export(order, say).path)
            except AndonError as error:
                left_out[name] = str(error)
    return paths, left_out


def _missing(form: Format) -> str:
    module, extra = NEEDS[form]
    if find_spec(module) is None:
        return f"{module} is not installed: pip install {extra}"
    return "" if form != "tensorrt" or cuda_available() else "this machine shows no NVIDIA GPU"


def _opened(path: Path, contest: Contest) -> Detector:
    runtime: Any = "torch" if path.suffix == ".pt" else "auto"
    return open_at_least_confidence(path, ValOptions(path, contest.data, contest.cache, runtime=runtime))


def _size(path: Path) -> int:
    return sum(file.stat().st_size for file in path.rglob("*")) if path.is_dir() else path.stat().st_size


# ---- output


def as_json(result: BenchReport, contest: Contest) -> dict[str, Any]:
    rows = [
        {
            "runtime": row.info.runtime,
            "precision": row.info.precision,
            "device": row.info.device,
            "ms_per_frame": row.speed.wall_ms,
            "cpu_ms_per_frame": row.speed.cpu_ms,
            "map50": row.metrics.map50,
            "map50_95": row.metrics.map50_95,
            "bytes": row.size_bytes,
        }
        for row in result.rows
    ]
    return {"weights": str(contest.weights), "batch": contest.batch, "rows": rows, "left_out": result.left_out}


def shown(result: BenchReport, contest: Contest) -> Group:
    source = result.rows[0]
    title = (
        f"{contest.weights}  {source.metrics.images} pictures, imgsz {source.info.imgsz}, batches of {contest.batch}"
    )
    table = Table("runtime", "device", title=title, title_justify="left", min_width=len(title))
    for column in ("ms", "CPU ms", "mAP50", "lost", "mAP50-95", "MB"):
        table.add_column(column, justify="right")
    for row in result.rows:
        table.add_row(
            row.name,
            row.info.device,
            f"{row.speed.wall_ms:.1f}",
            f"{row.speed.cpu_ms:.1f}",
            f"{row.metrics.map50:.4f}",
            f"{source.metrics.map50 - row.metrics.map50:+.4f}",
            f"{row.metrics.map50_95:.4f}",
            f"{row.size_bytes / 1e6:.1f}",
        )
    return Group(table, *(f"without {name}: {reason}" for name, reason in result.left_out.items()))


def plot(result: BenchReport, path: Path) -> None:
    """A point for each row: ms a frame to the right, mAP50 upwards. Raises ConfigError if it can't be written."""
    pyplot = plotting()
    figure, axes = pyplot.subplots(figsize=(8.5, 4.5), layout="constrained")
    for row in result.rows:
        label = f"{row.name}: {row.speed.wall_ms:.1f} ms, {row.metrics.map50:.3f}"
        axes.scatter(row.speed.wall_ms, row.metrics.map50, s=60, label=label)
    lowest = min(row.metrics.map50 for row in result.rows)
    highest = max(row.metrics.map50 for row in result.rows)
    axes.set(xlabel="ms a frame", ylabel="mAP50", xscale="log", ylim=(lowest - 0.02, highest + 0.02))
    axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
    axes.grid(alpha=0.3)
    try:
        figure.savefig(path, dpi=120)
    except OSError as error:
        raise ConfigError(f"--plot {path}: {error.strerror}") from None
    finally:
        pyplot.close(figure)


def plotting() -> Any:
    """matplotlib's pyplot, which draws into files. Raises ConfigError if it is not installed."""
    try:
        import matplotlib as mpl  # noqa: PLC0415 - only for a plot
    except ImportError:
        raise ConfigError("--plot: matplotlib is not installed: pip install 'andon[model]'") from None
    mpl.use("Agg")
    from matplotlib import pyplot  # noqa: PLC0415 - after the backend is chosen

    return pyplot
