"""What `andon model tune` works on and prints."""

import json
from collections.abc import Sequence
from pathlib import Path

from rich.console import Group
from rich.table import Table

from andon.errors import ConfigError, FatalError
from andon.settings import Settings
from workers.runtimes.tuned import ENDING, Candidate, Tuning, read_record
from workers.tuning.at_start import frames_for
from workers.tuning.choosing import complaint
from workers.tuning.order import SkippedError, TuningOrder, order_for
from workers.tuning.pictures import folder_frames
from workers.tuning.tune import FindFrames, TuningProcess, tune

Records = Sequence[tuple[Path, Tuning]]


def measure(settings: Settings, pool: str, order: TuningOrder, data: Path | None) -> None:
    """Raises FatalError, in one line, if nothing was measured."""
    find: FindFrames = frames_for(settings, pool) if data is None else lambda _: folder_frames(data)
    try:
        tune(order, find, TuningProcess(order.limit_s))
    except SkippedError as error:
        raise FatalError(f"{order.named}: nothing was measured: {error}") from None
    except OSError as error:
        raise FatalError(f"{order.where}.cache: {order.cache}: {error.strerror or error}") from None


def order_of(settings: Settings, pool: str, limit_s: float) -> TuningOrder:
    """Raises ConfigError if there is no such pool, or nothing to choose."""
    if pool not in settings.pools:
        raise ConfigError(f"--pool {pool}: no such pool; the pools are: {', '.join(settings.pools)}")
    order = order_for(settings.pools[pool], pool, limit_s)
    if order is None:
        where, model = f"pools.{pool}.model", settings.pools[pool].model
        raise ConfigError(
            f"{where}: there is nothing to choose: weights {model.weights} with precision {model.precision}; "
            "a .pt with auto or int8 is measured"
        )
    return order


def records(order: TuningOrder) -> Records:
    """All records of the model in the cache, of other machines and settings, too. The one that is used comes first."""
    found = [(path, read_record(path)) for path in sorted(order.cache.glob(f"{order.digest[:16]}-*{ENDING}"))]
    whole = [(path, tuning) for path, tuning in found if tuning is not None]
    return sorted(whole, key=lambda pair: pair[0] != order.record)


def as_json(found: Records, order: TuningOrder) -> str:
    return json.dumps([_document(path, tuning, order) for path, tuning in found], indent=2)


def _document(path: Path, tuning: Tuning, order: TuningOrder) -> dict[str, object]:
    chosen = tuning.chosen
    return {
        **tuning.model_dump(mode="json"),
        "chosen": None if chosen is None else chosen.name,
        "used_here": path == order.record,
    }


def shown(found: Records, order: TuningOrder) -> Group | str:
    """For a terminal."""
    if not found:
        return f"nothing was measured yet for {order.model.weights}: `andon model tune`, without --show"
    return Group(*(_table(tuning, used=path == order.record) for path, tuning in found))


def _table(tuning: Tuning, *, used: bool) -> Group:
    title = f"{tuning.weights} on {tuning.processor}, {tuning.cores} cores{'' if used else ' (not used here)'}"
    table = Table("", "candidate", title=title, title_justify="left", min_width=min(len(title), 110))
    for column in ("CPU ms", "ms", "agreement"):
        table.add_column(column, justify="right")
    table.add_column("")
    for index, candidate in enumerate(tuning.candidates):
        table.add_row("*" if index == tuning.choice else "", candidate.name, *_figures(candidate, tuning.min_agreement))
    frames = f"{tuning.held_out_frames} held-out frames of {tuning.frames_from}, {tuning.calibration_frames} for INT8"
    return Group(table, tuning.reason, f"{frames}; {tuning.seconds:.0f} s, {tuning.made_at:%Y-%m-%d %H:%M} UTC")


def _figures(candidate: Candidate, min_agreement: float) -> tuple[str, str, str, str]:
    if candidate.left_out:
        return "", "", "", candidate.left_out
    agreement = "" if candidate.agreement is None else f"{candidate.agreement:.3f}"
    return _ms(candidate.cpu_ms), _ms(candidate.wall_ms), agreement, complaint(candidate, min_agreement)


def _ms(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"
