"""The order for a tuning: a pool's model, on which frames, within which time. It travels to the tuning's process."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict

from andon.errors import AndonError
from andon.settings import ModelSettings, PoolSettings
from workers.runtimes.choice import checked_weights
from workers.runtimes.tuned import read_record, record_path

ORDER, REPORT = "order.json", "candidates.json"
"""Files in the room of a measurement: what to measure, and what was measured so far."""
LEAST_FRAMES = 40
"""Fewer show too little of a line to calibrate INT8 and to compare detections."""
MOST_FRAMES = 160
"""More bring nothing: INT8's scales settle within a hundred, and each frame costs the .pt's own time."""
CALIBRATION = 0.6
"""The part of the frames that INT8 is calibrated on. The rest is held out, to compare detections on."""


class SkippedError(AndonError):
    """Nothing was measured, and nothing was recorded: a later start tries again."""


class TuningOrder(BaseModel):
    """One tuning."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: ModelSettings
    digest: str
    batch_size: int
    where: str
    """The settings' place in line.yaml. Messages begin with it."""
    limit_s: float
    calibration: tuple[Path, ...] = ()
    held_out: tuple[Path, ...] = ()

    @property
    def named(self) -> str:
        return f"{self.where}.weights: {self.model.weights}"

    @property
    def weights(self) -> Path:
        return Path(self.model.weights).expanduser()

    @property
    def cache(self) -> Path:
        return Path(self.model.cache).expanduser()

    @property
    def record(self) -> Path:
        return record_path(self.model, self.digest)

    def with_frames(self, frames: "TuningFrames") -> "TuningOrder":
        return self.model_copy(update={"calibration": frames.calibration, "held_out": frames.held_out})


class TuningFrames(BaseModel):
    """Pictures of the line, as files."""

    model_config = ConfigDict(frozen=True)

    source: str
    """Where they come from, for people."""
    calibration: tuple[Path, ...]
    held_out: tuple[Path, ...]

    def __len__(self) -> int:
        return len(self.calibration) + len(self.held_out)


def order_for(pool: PoolSettings, name: str, limit_s: float) -> TuningOrder | None:
    """None: there is nothing to choose, because the settings or the file leave only one way. Raises ConfigError."""
    model, where = pool.model, f"pools.{name}.model"
    path, digest = checked_weights(model, where)
    if path.suffix != ".pt" or model.precision not in ("auto", "int8"):
        return None
    return TuningOrder(model=model, digest=digest, batch_size=pool.batch.size, where=where, limit_s=limit_s)


def is_tuned(order: TuningOrder) -> bool:
    return read_record(order.record) is not None
