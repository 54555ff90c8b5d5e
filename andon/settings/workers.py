"""The pools of workers: a model and a batch for each, and the bounds of one worker process."""

from typing import Literal

from pydantic import Field

from andon.settings.section import Positive, Section


class ModelSettings(Section):
    weights: str = ""
    """A YOLO model: ultralytics .pt, or an .onnx, an .engine or an OpenVINO folder exported from one."""
    digest: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    """The sha256 that the weights file must have. A .pt is a pickle: it runs code when it is loaded."""
    runtime: Literal["auto", "torch", "openvino", "onnx", "tensorrt"] = "auto"
    """auto: an export is served by its own runtime. A .pt is served on a GPU by tensorrt or torch, elsewhere by
    openvino, onnx or torch: the first that is installed."""
    precision: Literal["auto", "fp32", "bf16", "fp16", "int8"] = "auto"
    """The number format that the model computes in. auto: a .pt is served as was measured on this machine to be fastest
    while it agrees with the .pt (`andon model tune`), and until then as its runtime chooses; an export as it was made.
    int8 of a .pt takes such a measurement, too."""
    min_agreement: float = Field(default=0.99, gt=0, le=1)
    """The part of the confident detections, on frames that were held out, that a .pt and its INT8 form must have in
    common, for auto and int8 to take that form."""
    calibration: str = ""
    """A folder of pictures, or a dataset's YAML, on which auto and int8 measure. Empty: frames of the pool's topic."""
    device: str = "auto"
    """auto, cpu, cuda:0, ..."""
    imgsz: int | None = Field(default=None, ge=32, multiple_of=32)
    """Side of the model's square input in pixels. None: the size that it was trained at."""
    confidence: float = Field(default=0.25, gt=0, lt=1)
    """Detections with a lower confidence are dropped."""
    compiled_bytes: int | None = Field(default=None, ge=1_000_000)
    """OpenVINO compiles a model for each shape of pictures and keeps as many as fit into this, at least four. None: an
    eighth of the memory. A line of pictures of many sizes gets faster with more."""
    cache: str = "~/.cache/andon/models"
    """Exports made on this machine, by model digest, library version and hardware."""


class BatchSettings(Section):
    size: int = Field(default=8, ge=1)
    """Frames of a full batch. On a CPU a batch has fewer unless as many wait: one for each core while the model has
    time to spare, else half."""
    max_wait_ms: Positive = 20.0
    """Milliseconds that the first frame of a batch waits at most; then the batch closes, full or not. On a CPU with
    time to spare, where a larger batch gains little, it closes at once."""


class ScalingSettings(Section):
    """When workers come and go, if their number is a range (`andon up --workers 1..4`)."""

    lag_threshold: int = Field(default=100, ge=1)
    """Records of lag for each worker. Offsets are committed every second, so a pool that keeps up shows half a second's
    frames as lag; with the number that one worker inspects in that time, a steady load asks for the workers that it
    needs. 100: half a second of a worker that inspects 200 frames/s. A higher one lets the pool swing."""
    activation_lag: int = Field(default=0, ge=0)
    """A lag above it wakes a pool that sleeps (`--workers 0..4`)."""
    up_window_s: float = Field(default=0.0, ge=0)
    """Seconds for which more workers must be asked for before one is added. 0: at once."""
    down_window_s: float = Field(default=300.0, ge=0)
    """Seconds for which fewer workers must be asked for before one is removed. 300: as Kubernetes has it."""
    cooldown_s: float = Field(default=300.0, ge=0)
    """Seconds without lag after which a pool falls asleep, if it may. 300: as KEDA has it."""
    poll_s: Positive = 5.0
    """Seconds between two readings of the lag. Each opens connections of its own."""


class PoolSettings(Section):
    """One model, one frames topic, one consumer group, and the workers in it."""

    model: ModelSettings = ModelSettings()
    batch: BatchSettings = BatchSettings()
    scaling: ScalingSettings = ScalingSettings()


class WorkerSettings(Section):
    max_in_flight: int = Field(default=128, ge=1)
    """Frames between fetch and the broker's acknowledgement of their inspections. Bounds memory and redelivery."""
    max_in_flight_bytes: int = Field(default=256_000_000, ge=1_000_000)
    """The same bound in bytes."""
    decode_threads: int | None = Field(default=None, ge=1)
    """Pictures that are decoded side by side; of one camera's video, one at a time. None: as many as the process may
    use cores, from 2 to 16."""
    export_timeout_s: Positive = 600.0
    """Seconds for the export of a model that this machine serves for the first time. 600: a large model on a small
    machine takes minutes."""
    tune_timeout_s: float = Field(default=180.0, ge=0)
    """Seconds in which a worker measures, before it joins its group, how this machine serves its model fastest, if
    nobody has measured it yet. Past it the measurement is killed, and what was measured so far decides. 0: a worker
    measures nothing; it serves what `andon model tune` or another worker has measured."""
    load_timeout_s: Positive = 300.0
    """Seconds for loading the model, without its export, and again for its first inference, which may compile it. Past
    it the process ends."""
    inference_timeout_s: Positive = 60.0
    """Seconds after which a batch counts as hung in the model or its driver: the process ends. 60: many times what the
    largest batch takes on a slow processor."""
    decode_timeout_s: Positive = 120.0
    """Seconds after which a picture counts as hung in its decoder: the process ends. 120: a progressive JPEG of
    max_frame_pixels may take half a minute."""
    decode: Literal["auto", "software"] = "auto"
    """Where video is decoded. auto: on the GPU that serves the model (`torch` and `tensorrt` on CUDA), if its decoder
    gives the right pixels at the start, else in software. software: for a GPU whose decoder is the bottleneck, or is
    not trusted."""
    max_decoders: int = Field(default=64, ge=1)
    """Cameras whose video one worker decodes at once. An open decoder takes some 25 MB at 1080p and 100 MB at 4K. What
    comes from more cameras is quarantined as unproven, and the line says so: start more workers."""
    group_hold_s: Positive = 20.0
    """Seconds for which a video's group of pictures may hold the commit back to its keyframe, and a silent camera keep
    its decoder; 0.7 of `run.stalled_s` at most, since a held commit looks like work that stands still. A worker that
    takes over later than that goes on at the camera's next keyframe. 20: twice the longest interval that cameras are
    usually set to."""
    max_frame_bytes: int = Field(default=8_000_000, ge=1_000)
    """A larger picture, in bytes, is quarantined."""
    max_frame_pixels: int = Field(default=40_000_000, ge=1_000)
    """A picture with more pixels is quarantined before it is decoded."""
    quarantine_limit: int = Field(default=100, ge=1)
    """Records of one camera that may go to quarantine within quarantine_window_s. Past it that camera is reported
    (`camera.refused`); its frames are still tried, and the other cameras are inspected. A model that fails on the
    pictures of several cameras, and succeeds on none, ends the worker at this number: a bad release must not
    quarantine a line."""
    quarantine_window_s: Positive = 60.0
