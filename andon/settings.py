"""line.yaml and ANDON_* -> Settings; the only reader of the environment.

One file describes a line. `ANDON_SECTION__KEY` overrides a key of it; `${VAR}` in it reads a secret from the
environment, `${file:PATH}` one from a file. Each field's text gives its unit and the reason for its default.
"""

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from andon.messages import CameraId, Severity

Positive = Annotated[float, Field(gt=0)]
PoolName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,40}$")]


class Section(BaseModel):
    # an error that nobody foresaw must not show what was given: it may be a password
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class KafkaSettings(Section):
    bootstrap_servers: str = "127.0.0.1:9092"
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    sasl_username: str = ""
    sasl_password: SecretStr = SecretStr("")
    ssl_cafile: str | None = None
    frames_topic: str = "andon.frames"
    inspections_topic: str = "andon.inspections"
    defects_topic: str = "andon.defects"
    quarantine_topic: str = "andon.quarantine"
    cameras_topic: str = "andon.cameras"
    group_prefix: str = "andon"
    partitions: int = Field(default=24, ge=1)
    """Of each topic that `andon topics create` makes: the ceiling to which workers scale, so plenty."""
    replication: int = Field(default=1, ge=1)
    retention_minutes: Positive = 60.0
    """How long frames can be read back, for evidence and replay."""
    idempotent: bool = True
    """The idempotent producer: no duplicate and no reordering when a send is retried. The embedded broker lacks it."""
    max_record_bytes: int = Field(default=8_000_000, ge=10_000)
    fetch_max_wait_ms: int = Field(default=100, ge=1)
    """How long the broker may hold a fetch that has no data. Below 50 the embedded broker stalls."""
    request_timeout_s: Positive = 20.0
    session_timeout_s: Positive = 10.0
    """A member silent for longer is taken for dead and its partitions move."""
    start_timeout_s: Positive = 60.0
    """How long a process waits for the broker at its start before it gives up with one clear line."""
    epoch: str = ""
    """Names the log where the broker can't: `andon up` sets it, because its broker starts empty each time."""


class RedisSettings(Section):
    url: SecretStr = SecretStr("redis://127.0.0.1:6379/0")
    prefix: str = "andon"
    """Before the colon of every key."""
    timeout_s: Positive = 2.0
    inspections_maxlen: int = Field(default=10_000, ge=1)
    alerts_maxlen: int = Field(default=100_000, ge=1)
    parts_maxlen: int = Field(default=100_000, ge=1)
    """Verdicts on parts, which are many: 100,000 are seven hours of 240 parts a minute."""
    dedup_hours: Positive = 48.0
    """For how long a repeated alert is recognised."""


class HealthSettings(Section):
    """When a camera's pictures are no basis for a verdict. Levels are 0 to 255."""

    enabled: bool = True
    dark_level: float = Field(default=20.0, ge=0, le=255)
    """Dark: 95 % of the picture lies below. 20: black, and the noise of a covered lens."""
    overexposed_level: float = Field(default=245.0, ge=0, le=255)
    """Over-exposed: 75 % of the picture lies above. 255 for a scene lit from behind: never."""
    hold_s: Positive = 1.0
    """Dark, over-exposed or blurred for so long is the camera's state; healthy for so long ends it."""
    frozen_s: Positive = 2.0
    """Frozen: the same picture for so long. An encoder repeats a still scene without noise pixel for pixel, too: raise
    it where nothing moves for longer."""
    frozen_change: float = Field(default=0.02, ge=0, le=255)
    """The same: the mean difference of two pictures is at most this. A coder still works on a picture that stands still
    (0.01 seen); a sensor's noise is 0.15 and more even behind a coarse one."""
    blurred_ratio: float = Field(default=0.25, ge=0, lt=1)
    """Blurred: less than this part of what is usually the least sharp of its pictures. 0: never."""
    learn_s: Positive = 60.0
    """What is usual is learned from so much of healthy pictures, after a start and after a change of their size."""


Fraction = Annotated[float, Field(ge=0, le=1)]
Line = tuple[tuple[Fraction, Fraction], tuple[Fraction, Fraction]]
"""Two points, each x and y as fractions of the picture's width and height, from its upper left corner."""


def _has_a_direction(line: Line | None) -> Line | None:
    if line is not None and line[0] == line[1]:
        raise ValueError("the two points of a line must differ")
    return line


PartLine = Annotated[Line, AfterValidator(_has_a_direction)]


class CameraPartSettings(Section):
    """Where a camera's parts are judged; what is not given is as `parts` says."""

    line: PartLine | None = None
    min_frames: int | None = Field(default=None, ge=1)


class PartSettings(Section):
    """Parts are followed through the picture, and each has one verdict, where the model knows a class for them."""

    label: str = Field(alias="class", min_length=1, max_length=200)
    """The model's class for the part itself. It is never a defect."""
    line: PartLine = ((0.75, 0.0), (0.75, 1.0))
    """A part has its verdict when its centre crosses the line through these two points. Put it where the part is still
    wholly in view and has been for as long as can be: what is seen later does not change the verdict."""
    min_frames: int = Field(default=3, ge=1)
    """Inspected frames that show a part whole, before it may pass: with fewer it is `unknown`. 3: what a part has
    at 240 a minute before a camera of 15 fps."""
    min_confidence: float = Field(default=0.4, ge=0, le=1)
    """A less sure detection is no part. Higher than a defect's: what is taken for a part has a verdict."""


class CameraSettings(Section):
    id: CameraId
    url: SecretStr
    """rtsp://user:password@host/path, a video file, a folder of images, or usb:0."""
    enabled: bool = True
    pool: PoolName = "default"
    transport: Literal["tcp", "udp"] = "tcp"
    policy: Literal["lossless", "freshest"] = "lossless"
    """lossless: every frame is inspected, however late. freshest: frames older than max_age_s are shed, counted."""
    max_age_s: Positive = 2.0
    """For `freshest` only."""
    mailbox_frames: int = Field(default=256, ge=1)
    """Encoded frames that wait for the broker; the most that a killed ingester can lose. 256: 8 s at 30 fps."""
    mailbox_bytes: int = Field(default=64_000_000, ge=1_000_000)
    fps: Positive | None = None
    """At most so many frames a second are taken; None: all that the camera delivers."""
    roi: tuple[int, int, int, int] | None = None
    """Crop to x, y, width, height in the camera's own pixels, before resizing."""
    longest_side: int | None = Field(default=None, ge=32)
    """Shrink (never enlarge) so that the longer side is at most so many pixels."""
    jpeg_quality: int = Field(default=90, ge=10, le=100)
    loop: bool = False
    """Files and image folders: start again at the end."""
    pace: Literal["realtime", "fast"] = "realtime"
    """Files and image folders: at their own frame rate, or as fast as the line takes them."""
    image_fps: Positive = 10.0
    """The frame rate of a folder of images."""
    open_timeout_s: Positive = 5.0
    read_timeout_s: Positive = 5.0
    """No frame for so long: the connection is taken for dead and opened anew."""
    reconnect_max_s: Positive = 3.0
    """The ceiling of the exponential back-off between attempts; attempts never end."""
    health: HealthSettings | None = None
    """This camera's own thresholds, all of them; None: the line's."""
    parts: CameraPartSettings | None = None
    """This camera's own line; None: as `parts` of the line says."""

    @model_validator(mode="after")
    def _roi_is_a_rectangle(self) -> Self:
        if self.roi is not None and (min(self.roi[:2]) < 0 or min(self.roi[2:]) < 1):
            raise ValueError(f"roi {list(self.roi)}: x and y must be 0 or more, width and height 1 or more")
        return self


class SpoolSettings(Section):
    """Where the frames of `lossless` cameras wait when the broker is away for longer than the mailbox lasts."""

    folder: str = "andon-data/spool"
    """On a disk of this machine; a folder in it for each camera."""
    max_bytes: int = Field(default=4_000_000_000, ge=0)
    """In all; the `lossless` cameras of an ingester have equal shares. 0: no spool, what has no room is shed.
    4 GB: four cameras of 25 frames of 100 KB a second for 400 s."""
    segment_bytes: int = Field(default=16_000_000, ge=100_000)
    """A file's size: room on disk comes back by so much at a time, and a crash sends at most so much twice."""
    fsync: bool = False
    """False: what is spooled outlives the process, however it dies. True: the machine's power, too; each frame waits
    for the disk."""


class ModelSettings(Section):
    weights: str = ""
    """A YOLO model: ultralytics .pt, or an .onnx, an .engine or an OpenVINO folder exported from one."""
    digest: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    """sha256 that the weights file must have. A .pt is a pickle: it runs code when it is loaded."""
    runtime: Literal["auto", "torch", "openvino", "onnx", "tensorrt"] = "auto"
    """auto: an export is served by its own; a .pt on a GPU by tensorrt or torch, else by openvino, onnx or torch, the
    first that is installed."""
    device: str = "auto"
    """auto, cpu, cuda:0, ..."""
    imgsz: int | None = Field(default=None, ge=32, multiple_of=32)
    """Pixels of the model's square input; None: the size that it was trained at."""
    confidence: float = Field(default=0.25, gt=0, lt=1)
    cache: str = "~/.cache/andon/models"
    """Exports made on this machine, by model digest, library version and hardware."""


class BatchSettings(Section):
    size: int = Field(default=8, ge=1)
    max_wait_ms: Positive = 20.0
    """A batch closes when it is full or when its first frame has waited so long."""


class PoolSettings(Section):
    """One model, one frames topic, one consumer group, and the workers in it."""

    model: ModelSettings = ModelSettings()
    batch: BatchSettings = BatchSettings()


class WorkerSettings(Section):
    max_in_flight: int = Field(default=128, ge=1)
    """Frames between fetch and the broker's acknowledgement of their inspections; bounds memory and redelivery."""
    max_in_flight_bytes: int = Field(default=256_000_000, ge=1_000_000)
    decode_threads: int = Field(default=2, ge=1)
    max_frame_bytes: int = Field(default=8_000_000, ge=1_000)
    max_frame_pixels: int = Field(default=40_000_000, ge=1_000)
    quarantine_limit: int = Field(default=100, ge=1)
    """Past so many quarantined records within quarantine_window_s the worker stops: a bad release must not
    quarantine a line. Pictures that the camera itself delivered broken do not count."""
    quarantine_window_s: Positive = 60.0


class EvidenceSettings(Section):
    url: str = "andon-data/evidence"
    """A folder, or any fsspec URL (s3://bucket/prefix). It is part of every alert, so it holds no password."""
    jpeg_quality: int = Field(default=90, ge=10, le=100)

    @field_validator("url")
    @classmethod
    def _without_password(cls, url: str) -> str:
        if "://" in url and "@" in url:
            raise ValueError("keep user and password out of it: fsspec reads them from its own environment variables")
        return url


class SinkSettings(Section):
    store: SecretStr = SecretStr("sqlite:///andon-data/andon.db")
    """An SQLAlchemy URL: SQLite for one machine, postgresql+psycopg://user:password@host/name for a line."""
    max_in_flight: int = Field(default=2_000, ge=1)
    batch_ms: Positive = 20.0
    """How long inspections are gathered into one transaction, after the broker has gathered them for up to
    kafka.fetch_max_wait_ms; both are part of every alert's latency."""
    evidence: EvidenceSettings = EvidenceSettings()
    alerts: tuple[Literal["redis", "kafka"], ...] = ("redis", "kafka")
    silence_s: Positive = 3.0
    """A watched camera that delivers no frame for longer has a gap, which `andon audit` lists."""


class DefectClass(Section):
    severity: Severity = "major"
    min_confidence: float = Field(default=0.25, ge=0, le=1)


class DefectSettings(Section):
    classes: dict[str, DefectClass] = {}
    """By the model's class names; a class that is not named here is a defect of severity `major`."""
    ignore: tuple[str, ...] = ()
    """Classes that are no defects (the part itself, a hand)."""
    confirm_frames: int = Field(default=4, ge=1)
    """K: seen in K ..."""
    confirm_window: int = Field(default=8, ge=1)
    """N: ... of the last N inspected frames."""
    close_after_frames: int = Field(default=10, ge=1)
    """Unseen in so many inspected frames: the defect has left the picture."""
    update_confidence: float = Field(default=0.15, gt=0, le=1)
    """An `updated` event follows when the confidence has risen by so much since the last event."""
    max_move: float = Field(default=0.12, gt=0, le=1)
    """How far from where it is expected a detection may lie, as a fraction of the picture's diagonal."""

    @model_validator(mode="after")
    def _k_of_n(self) -> Self:
        if self.confirm_frames > self.confirm_window:
            raise ValueError("confirm_frames is above confirm_window")
        return self


class HttpSettings(Section):
    host: str = "127.0.0.1"
    port: int = Field(default=0, ge=0, le=65535)
    """Of /livez, /readyz and /metrics. 0 takes a free one and logs it; a container sets it."""


class RunSettings(Section):
    drain_s: Positive = 20.0
    """How long a stopping process may finish what it holds."""
    log_format: Literal["logfmt", "json"] = "logfmt"
    log_level: Literal["debug", "info", "warning", "error"] = "info"


class Settings(Section):
    line: str = "line"
    """The line's name, on the board and in alerts."""
    kafka: KafkaSettings = KafkaSettings()
    redis: RedisSettings = RedisSettings()
    cameras: tuple[CameraSettings, ...] = ()
    spool: SpoolSettings = SpoolSettings()
    health: HealthSettings = HealthSettings()
    pools: dict[PoolName, PoolSettings] = {"default": PoolSettings()}
    worker: WorkerSettings = WorkerSettings()
    sinks: SinkSettings = SinkSettings()
    defects: DefectSettings = DefectSettings()
    parts: PartSettings | None = None
    """None: parts are not followed."""
    http: HttpSettings = HttpSettings()
    run: RunSettings = RunSettings()

    @field_validator("cameras")
    @classmethod
    def _unique_cameras(cls, cameras: tuple[CameraSettings, ...]) -> tuple[CameraSettings, ...]:
        seen: set[str] = set()
        for camera in cameras:
            if camera.id in seen:
                raise ValueError(f"camera {camera.id!r} is there twice")
            seen.add(camera.id)
        return cameras

    @model_validator(mode="after")
    def _known_pools(self) -> Self:
        for camera in self.cameras:
            if camera.pool not in self.pools:
                known = ", ".join(self.pools)
                raise ValueError(f"camera {camera.id!r} is in pool {camera.pool!r}; the pools are: {known}")
        return self

    @model_validator(mode="after")
    def _part_is_no_defect(self) -> Self:
        if self.parts is not None and self.parts.label in self.defects.classes:
            raise ValueError(f"the class {self.parts.label!r} is the part's (parts.class), and in defects.classes")
        return self

    def pool_topic(self, pool: str) -> str:
        """The frames topic of a pool."""
        return self.kafka.frames_topic if pool == "default" else f"{self.kafka.frames_topic}.{pool}"

    def worker_group(self, pool: str) -> str:
        return f"{self.kafka.group_prefix}.workers.{pool}"

    @property
    def sink_group(self) -> str:
        return f"{self.kafka.group_prefix}.sinks"
