"""Measures once, before all contenders, how this machine serves the model fastest: `precision: auto`.

Worker and bare loop then serve the same choice. At another size of the model's input it is another choice.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from andon.settings import ModelSettings, PoolSettings, WorkerSettings
from bench.harness import clips
from sample_streams import calibration
from workers.runtimes.tuned import read_record
from workers.tuning.order import SkippedError, order_for
from workers.tuning.pictures import folder_frames
from workers.tuning.tune import TuningProcess, tune

LIMIT_S = WorkerSettings().tune_timeout_s


def ensure_tuned(imgsz: int | None, say: Callable[[str], None]) -> dict[str, Any]:
    """The choice, and why. Blocks for up to LIMIT_S if this machine has never measured it."""
    model = ModelSettings(weights=str(clips.MODEL), confidence=clips.CONFIDENCE, imgsz=imgsz)
    cache = Path(model.cache).expanduser()
    order = order_for(PoolSettings(model=model), "default", LIMIT_S)
    assert order is not None
    known = read_record(order.record)
    if known is None:
        say(f"measuring how this machine serves the model at {imgsz or clips.IMGSZ} pixels")
        calibration.write(cache)
        try:
            known = tune(order, lambda _: folder_frames(calibration.folder(cache)), TuningProcess(LIMIT_S))
        except SkippedError as error:
            return {"choice": None, "reason": str(error)}
    choice = None if known.chosen is None else known.chosen.name
    say(f"precision: auto serves {choice or 'as the runtime chooses'}: {known.reason}")
    return {"choice": choice, "reason": known.reason}
