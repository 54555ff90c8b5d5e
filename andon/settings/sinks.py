"""The sinks: their store, their evidence and their alerts."""

from typing import Any, Literal

from pydantic import Field, SecretStr, field_validator, model_validator

from andon.settings.channels import (
    AlertChannelSettings,
    ChannelName,
    KafkaChannelSettings,
    RedisChannelSettings,
)
from andon.settings.section import Positive, Section

RESERVED = ("alarms", "clips", "evidence", "live", "quarantine")
"""Names of what leaves the sinks besides alerts; log lines and metrics use them."""


class ClipSettings(Section):
    """The clip of each defect and of each rejected part: the camera's own packets, in an MP4 beside the picture."""

    before_s: float = Field(default=2.0, ge=0, le=20)
    """Seconds that it shows before the frame; of video more, back to the keyframe at which a decoder can start."""
    after_s: float = Field(default=2.0, ge=0, le=20)
    """Seconds that it shows after the frame; the clip is stored that much later. 2: with `before_s`, 4 MB of a stream
    of 8 Mbit/s."""
    jpeg_cameras: Literal["mjpeg", "h264"] = "mjpeg"
    """What the clips of cameras are that send JPEG. mjpeg: the very pictures, 20 MB at 1080p, which media players show
    but browsers do not. h264: encoded by the sink, which costs it about 20 ms of CPU a picture at 1080p."""


class EvidenceSettings(Section):
    url: str = "andon-data/evidence"
    """A folder, or any fsspec URL (s3://bucket/prefix). It is part of every alert, so it holds no password."""
    jpeg_quality: int = Field(default=90, ge=10, le=100)
    timeout_s: Positive = 60.0
    """Seconds for drawing and storing one picture, past which the process ends. A hanging network folder can't be left
    in any other way. 60: an object store's client tries again for some tens of seconds."""
    keep_days: Positive = 90.0
    """Days for which pictures are kept, by the date of their folder."""
    max_bytes: int = Field(default=50_000_000_000, ge=1_000_000)
    """Bytes of all evidence; past it the oldest goes first. 50 GB: 250,000 defects with two pictures of 100 KB, the
    untouched one and the marked one."""
    prune_timeout_s: Positive = 300.0
    """Seconds for one call of retention to the storage, past which the process ends. 300: the listing of a large folder
    takes seconds, and an object store's client tries again for a minute."""

    clip: ClipSettings | None = ClipSettings()
    """Null: no clips are stored."""

    @field_validator("url")
    @classmethod
    def _without_password(cls, url: str) -> str:
        if "://" in url and "@" in url:
            raise ValueError("keep user and password out of it: fsspec reads them from its own environment variables")
        return url


class KeepDays(Section):
    """Days for which sinks keep rows in the store. Each table has its own age; the sums of deleted rows are kept."""

    parts: Positive = 30.0
    """Verdicts on parts, by their time. 1 KB each: four cameras with 60 parts a minute write 10 GB in 30 days."""
    defects: Positive = 365.0
    """Closed defects and their events, by the time of the last event. 2 to 4 KB each: 3,500 a day are 5 GB a year."""
    spans: Positive = 365.0
    """Times without frames, by their end. 0.15 KB each: a camera that drops out every hour has 1.3 MB a year."""
    alarms: Positive = 365.0
    """Alarms that are normal again, and what happened to alarms and who did it, by time. 0.5 KB each: an alarm every
    minute, with three steps each, is 0.8 GB a year."""
    sessions: Positive = 365.0
    """Accounts of capture sessions that are over, by the sinks' time of their last change. 0.25 KB each. The account of
    a session recognises records that are delivered again, so at least twice kafka.retention_minutes."""
    quarters: Positive = 365.0
    """Sums of each quarter of an hour, from which reports on shifts are made. 0.1 KB a camera and quarter, and as much
    for each class that occurs in it: 10 MB a year and camera with two classes."""
    labels: Positive = 3650.0
    """Labels that people gave to pictures, by their time. 0.3 KB each. The pictures themselves go with
    sinks.evidence.keep_days: export them before."""


class SinkSettings(Section):
    store: SecretStr = SecretStr("sqlite:///andon-data/andon.db")
    """An SQLAlchemy URL: SQLite for one machine, postgresql+psycopg://user:password@host/name for a line."""
    store_timeout_s: Positive = 120.0
    """Seconds for one transaction, past which the process ends. 120: what the database itself delays ends before, by
    the limits for a lock (10 s), a statement (20 s) and a connection (5 s); a disk that hangs has no limit."""
    max_in_flight: int = Field(default=2_000, ge=1)
    """Records between fetch and commit. Bounds memory and redelivery."""
    batch_ms: Positive = 20.0
    """Milliseconds for which inspections are gathered into one transaction, after the broker has gathered them for up
    to kafka.fetch_max_wait_ms. Both are part of every alert's latency."""
    keep_days: KeepDays = KeepDays()
    evidence: EvidenceSettings = EvidenceSettings()
    channels: dict[ChannelName, AlertChannelSettings] = Field(
        default={"redis": RedisChannelSettings(), "kafka": KafkaChannelSettings()}
    )
    """Each alert leaves by every one of these. The name is yours; it stands in the log and in metrics."""
    alerts: tuple[Literal["redis", "kafka"], ...] | None = None
    """The former way to write `channels`. It is still read, with a warning."""
    silence_s: Positive = 3.0
    """Seconds without a frame after which a watched camera is silent; `andon audit` lists the span. A camera that
    usually takes longer is silent after three of its usual intervals; a camera's own `silence_s` goes before both."""

    @model_validator(mode="before")
    @classmethod
    def _channels_from_alerts(cls, given: Any) -> Any:
        if not isinstance(given, dict) or given.get("alerts") is None:
            return given
        if "channels" in given:
            raise ValueError("alerts is the former way to write channels: remove alerts")
        names = given["alerts"] if isinstance(given["alerts"], list | tuple) else ()
        return {**given, "channels": {name: {"type": name} for name in names if isinstance(name, str)}}

    @field_validator("channels")
    @classmethod
    def _no_reserved_name(cls, channels: dict[str, AlertChannelSettings]) -> dict[str, AlertChannelSettings]:
        if taken := channels.keys() & set(RESERVED):
            raise ValueError(f"{min(taken)!r} is reserved: give the channel another name")
        return channels
