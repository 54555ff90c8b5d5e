"""Events of workers: the model, batches and frames."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from andon.errors import QuarantineReason
from andon.events.event import Event, Level


@dataclass(frozen=True, slots=True)
class ModelLoaded(Event):
    name: ClassVar[str] = "model.loaded"
    weights: str
    digest: str
    runtime: str
    device: str
    classes: int
    imgsz: int
    warm_up_s: float
    precision: str = ""
    """fp32, fp16 or int8. Empty: unknown."""


@dataclass(frozen=True, slots=True)
class VideoPlace(Event):
    """Where the worker decodes video, said at its start."""

    name: ClassVar[str] = "video.place"
    place: Literal["gpu", "software"]
    reason: str


@dataclass(frozen=True, slots=True)
class VideoInSoftware(Event):
    """A worker that decodes on its GPU decodes something in software. Said once for each reason."""

    name: ClassVar[str] = "video.in_software"
    level: ClassVar[Level] = "warning"
    reason: str


@dataclass(frozen=True, slots=True)
class TuningBegun(Event):
    """The worker measures how this machine serves its model fastest, before it joins its group."""

    name: ClassVar[str] = "model.tuning"
    weights: str
    limit_s: float


@dataclass(frozen=True, slots=True)
class CandidateMeasured(Event):
    """One way to serve a model, as a tuning found it."""

    name: ClassVar[str] = "model.candidate"
    weights: str
    candidate: str
    cpu_ms: float | None
    """Of all threads, for one frame."""
    wall_ms: float | None
    agreement: float | None
    """Of the confident detections of either, the part that source and candidate have in common, 0 to 1."""
    left_out: str
    """Why it was not measured. Empty: it was."""


@dataclass(frozen=True, slots=True)
class ModelTuned(Event):
    """What was measured on this machine decides how the model is served."""

    name: ClassVar[str] = "model.tuned"
    weights: str
    choice: str
    """Empty: nothing agreed, so that the runtime chooses."""
    reason: str
    measured_now: bool
    """False: the choice was in the cache."""
    seconds: float
    """The measurement took this long."""


@dataclass(frozen=True, slots=True)
class TuningSkipped(Event):
    """Nothing was measured at this start. The model is served as its runtime chooses; a later start tries again."""

    name: ClassVar[str] = "model.tuning_skipped"
    weights: str
    reason: str


@dataclass(frozen=True, slots=True)
class SuppressionBuiltIn(Event):
    """An export that was made with `nms=True` drops detections by thresholds of its own. None: they are not known."""

    name: ClassVar[str] = "model.suppression_built_in"
    level: ClassVar[Level] = "warning"
    weights: str
    confidence: float | None
    iou: float | None
    most: int | None
    """Largest number of detections in a picture."""


@dataclass(frozen=True, slots=True)
class BatchInferred(Event):
    name: ClassVar[str] = "batch.inferred"
    level: ClassVar[Level] = "debug"
    size: int
    wait_s: float
    """From the batch's first frame to its closing."""
    infer_s: float
    runtime: str


@dataclass(frozen=True, slots=True)
class BatchHalved(Event):
    """The device had too little memory for a batch; its halves were inferred one after the other."""

    name: ClassVar[str] = "batch.halved"
    level: ClassVar[Level] = "warning"
    size: int
    device: str


@dataclass(frozen=True, slots=True)
class FrameInspected(Event):
    name: ClassVar[str] = "frame.inspected"
    level: ClassVar[Level] = "debug"
    camera: str
    detections: int
    decode_s: float
    latency_s: float
    """From capture to the broker's acknowledgement of the inspection."""


@dataclass(frozen=True, slots=True)
class CameraRefused(Event):
    """More records of this camera went to quarantine than its limit. Its frames are still tried; the others go on."""

    name: ClassVar[str] = "camera.refused"
    level: ClassVar[Level] = "error"
    camera: str
    reasons: str
    """Each with its count within the window."""
    limit: int
    window_s: float
    error: str
    """Of the last record."""


@dataclass(frozen=True, slots=True)
class CameraResumed(Event):
    """A camera that was refused is back below its limit, and its frames are inspected."""

    name: ClassVar[str] = "camera.resumed"
    camera: str


@dataclass(frozen=True, slots=True)
class RecordQuarantined(Event):
    name: ClassVar[str] = "record.quarantined"
    level: ClassVar[Level] = "warning"
    camera: str
    reason: QuarantineReason
    where: str
    error: str


@dataclass(frozen=True, slots=True)
class GpuEnergyUsed(Event):
    """This worker's share of the energy that its GPU has used since the last event."""

    name: ClassVar[str] = "gpu.energy"
    level: ClassVar[Level] = "debug"
    gpu: str
    """NVML's UUID of the GPU."""
    joules: float
