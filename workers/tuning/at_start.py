"""A worker's start: measures how this machine serves its model fastest, if nobody has measured it yet.

A worker never waits for another one's measurement, and no failure of it keeps a worker from starting: it then serves
the model as the runtime chooses, which is checked against its source, too.
"""

from functools import partial
from pathlib import Path

from andon.errors import ConfigError
from andon.events import CandidateMeasured, Emit, ModelTuned, TuningBegun, TuningSkipped
from andon.settings import Settings
from workers.runtimes.tuned import Tuning, read_record
from workers.tuning.order import SkippedError, TuningOrder, order_for
from workers.tuning.pictures import folder_frames, topic_frames
from workers.tuning.tune import FindFrames, TuningProcess, tune


def tune_at_start(settings: Settings, pool_name: str, process: TuningProcess, emit: Emit) -> None:
    """Blocks for up to `worker.tune_timeout_s`. `emit` may be called from this thread.

    Raises ConfigError for unusable weights, as loading them would.
    """
    limit_s = settings.worker.tune_timeout_s
    order = order_for(settings.pools[pool_name], pool_name, limit_s or 1.0)
    if order is None:
        return
    known = read_record(order.record)
    if known is not None:
        emit(tuned_event(order, known, measured_now=False))
    elif not limit_s:
        emit(TuningSkipped(order.model.weights, "worker.tune_timeout_s is 0"))
    else:
        _tune(order, frames_for(settings, pool_name), process, emit)


def frames_for(settings: Settings, pool_name: str) -> FindFrames:
    """Of `model.calibration`, or else of the pool's topic."""
    named = settings.pools[pool_name].model.calibration
    if named:
        return lambda _: folder_frames(Path(named).expanduser())
    return partial(topic_frames, settings.kafka, settings.pool_topic(pool_name))


def _tune(order: TuningOrder, find_frames: FindFrames, process: TuningProcess, emit: Emit) -> None:
    emit(TuningBegun(order.model.weights, order.limit_s))
    try:
        tuning = tune(order, find_frames, process)
    except (SkippedError, ConfigError) as error:
        emit(TuningSkipped(order.model.weights, str(error)))
    except OSError as error:
        reason = f"the measurement can't be kept in {order.cache}: {error.strerror or error}"
        emit(TuningSkipped(order.model.weights, reason))
    else:
        for candidate in tuning.candidates:
            emit(
                CandidateMeasured(
                    order.model.weights,
                    candidate.name,
                    candidate.cpu_ms,
                    candidate.wall_ms,
                    candidate.agreement,
                    candidate.left_out,
                )
            )
        emit(tuned_event(order, tuning, measured_now=True))


def tuned_event(order: TuningOrder, tuning: Tuning, *, measured_now: bool) -> ModelTuned:
    choice = tuning.chosen.name if tuning.chosen is not None else ""
    return ModelTuned(order.model.weights, choice, tuning.reason, measured_now, tuning.seconds)
