"""The content of `bench.json`: what `andon bench` measured, and `andon size --measured` reads."""

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from andon.errors import ConfigError

Encoding = Literal["passthrough", "jpeg"]
"""How the cameras' H.264 travels, as their `encoding` says; `auto` is `passthrough`."""
KEPT_UP = 0.95
"""A line that inspects this share of what it captures is not behind: the ends of a span cut batches."""


class _Figures(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class MachineFigures(_Figures):
    processor: str
    cores: int
    """Those that this process may use."""
    vector_units: tuple[str, ...]
    """Of those that models use; empty: unknown, or none."""
    memory_bytes: int
    gpu: str
    """Empty: none."""
    load: float
    """Processes that ran or waited for a core when the measurement began; above 1 other work disturbed it."""


class PictureFigures(_Figures):
    """CPU ms a frame of one thread, for one resolution."""

    width: int
    height: int
    jpeg_bytes: int
    h264_bytes: int = 0
    """Of an access unit of the drawn clip. 0: not measured."""
    h264_decode_ms: float
    """To BGR."""
    jpeg_encode_ms: float
    jpeg_decode_ms: float
    """As a worker decodes it: at a reduced size, if the model needs no more."""
    png_decode_ms: float

    @property
    def pixels(self) -> int:
        return self.width * self.height


class BatchFigures(_Figures):
    """The model on batches of this size, with as many batches at once as the runtime takes."""

    batch: int
    ms: float
    """Wall time for each frame."""
    batch_ms: float
    """Wall time of one batch, from its begin to its end."""
    cpu_ms: float
    """Of all threads, for each frame."""


class ModelFigures(_Figures):
    weights: str
    runtime: str
    device: str
    precision: str
    imgsz: int
    window_ms: float
    """The longest that a batch waits for more frames."""
    batches: tuple[BatchFigures, ...]
    """The smallest first."""

    @property
    def on_gpu(self) -> bool:
        return self.device.lower().startswith(("cuda", "gpu"))


class LineFigures(_Figures):
    """A whole line that ran here."""

    cameras: int
    fps: float
    width: int
    height: int
    captured_per_s: float
    frames_per_s: float
    """Inspected."""
    busy: float
    """The share of all cores' time that the line used, its broker included."""
    cpu_ms: dict[str, float]
    """CPU ms a frame: `ingest`, `workers`, `sinks`, `broker`, `redis`."""
    p50_ms: float
    """Capture to inspection."""
    p99_ms: float

    @property
    def behind(self) -> bool:
        """More frames came than were inspected, so that their latency only says how long the measurement lasted."""
        return self.frames_per_s < KEPT_UP * self.captured_per_s


class CarriedCameras(_Figures):
    """How many cameras this machine carries, with everything on it."""

    width: int
    height: int
    fps: float
    cameras: int
    batch: int
    p99_ms: float
    """Computed: see `deploy.sizing.carried`."""
    limit: str
    """What would have to be faster for more."""


class BenchFigures(_Figures):
    """None, or nothing in a list: it was not measured, and `not_measured` says why."""

    version: Literal["andon.bench.v1"] = "andon.bench.v1"
    machine: MachineFigures
    seconds: float
    """That the measurement took."""
    latency_s: float
    """The aimed latency, p99 from capture to inspection."""
    encoding: Encoding = "jpeg"
    """Of the cameras of `line` and `carried`. A file that lacks it was written when all pictures travelled as JPEG."""
    pictures: tuple[PictureFigures, ...] = ()
    model: ModelFigures | None = None
    line: LineFigures | None = None
    carried: tuple[CarriedCameras, ...] = ()
    not_measured: tuple[str, ...] = ()


def read(path: Path) -> BenchFigures:
    """Raises ConfigError, one line, if it is no bench.json."""
    try:
        return BenchFigures.model_validate_json(path.read_bytes())
    except OSError as error:
        raise ConfigError(f"--measured {path}: {error.strerror}; `andon bench --out {path}` writes it") from None
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"]) or "the file"
        raise ConfigError(f"--measured {path}: not written by `andon bench`: {key}: {first['msg']}") from None
