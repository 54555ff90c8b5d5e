"""The root of line.yaml: every section, and the rules that hold between sections."""

from typing import Any, Self

from pydantic import Field, field_validator, model_validator

from andon.settings.board import BoardSettings
from andon.settings.cameras import CameraSettings, HealthSettings
from andon.settings.ingest import IngestSettings, SpoolSettings
from andon.settings.judgement import DefectSettings, PartSettings
from andon.settings.kafka import KafkaSettings
from andon.settings.process import HttpSettings, RunSettings, TracingSettings
from andon.settings.redis import RedisSettings
from andon.settings.section import PoolName, Section
from andon.settings.sinks import SinkSettings
from andon.settings.workers import PoolSettings, WorkerSettings

REGISTRY = "registry"
"""In place of a list of cameras."""


def _or_registry(schema: dict[str, Any]) -> None:
    listed = {key: schema.pop(key) for key in ("type", "items") if key in schema}
    schema["anyOf"] = [listed, {"const": REGISTRY}]


class Settings(Section):
    line: str = "line"
    """The line's name, on the board and in alerts."""
    kafka: KafkaSettings = KafkaSettings()
    redis: RedisSettings = RedisSettings()
    cameras: tuple[CameraSettings, ...] = Field(default=(), json_schema_extra=_or_registry)
    """Each start publishes them in the registry, where they differ from those that it published before. `registry`:
    this file names none, and the registry stays as `andon camera` makes it."""
    camera_ca_file: str | None = None
    """The certificates by which rtsps:// cameras without a `ca_file` of their own are verified. None: the system's."""
    ingest: IngestSettings = IngestSettings()
    spool: SpoolSettings = SpoolSettings()
    health: HealthSettings = HealthSettings()
    pools: dict[PoolName, PoolSettings] = Field(default={"default": PoolSettings()})
    worker: WorkerSettings = WorkerSettings()
    sinks: SinkSettings = SinkSettings()
    defects: DefectSettings = DefectSettings()
    parts: PartSettings | None = None
    """None: parts are not followed, and there are no verdicts on them."""
    board: BoardSettings = BoardSettings()
    http: HttpSettings = HttpSettings()
    run: RunSettings = RunSettings()
    tracing: TracingSettings = TracingSettings()

    @field_validator("cameras", mode="before")
    @classmethod
    def _of_registry(cls, cameras: object) -> object:
        return () if cameras == REGISTRY else cameras

    @field_validator("cameras")
    @classmethod
    def _unique_cameras(cls, cameras: tuple[CameraSettings, ...]) -> tuple[CameraSettings, ...]:
        ids: set[str] = set()
        for camera in cameras:
            if camera.id in ids:
                raise ValueError(f"camera {camera.id!r} is there twice")
            ids.add(camera.id)
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

    @model_validator(mode="after")
    def _keeps_sessions_longer_than_kafka(self) -> Self:
        days, minutes = self.sinks.keep_days.sessions, self.kafka.retention_minutes
        # a topic holds the frame for that time, and then another one its inspection
        if days * 24 * 60 < 2 * minutes:
            raise ValueError(
                f"sinks.keep_days.sessions: {days:g} days are less than twice kafka.retention_minutes ({minutes:g}):"
                " a record that is delivered again would be taken for a new one"
            )
        return self

    def outdated(self) -> list[str]:
        """One line for each key that a later version may no longer read, with what to write instead."""
        if self.sinks.alerts is None:
            return []
        channels = ", ".join(f"{name}: {{type: {name}}}" for name in self.sinks.alerts)
        return [f"sinks.alerts is outdated: write sinks.channels: {{{channels}}}"]

    @property
    def own_silence_s(self) -> dict[str, float]:
        """`silence_s` of the cameras that have one of their own."""
        return {camera.id: camera.silence_s for camera in self.cameras if camera.silence_s is not None}

    def pool_topic(self, pool: str) -> str:
        """The frames topic of a pool."""
        return self.kafka.frames_topic if pool == "default" else f"{self.kafka.frames_topic}.{pool}"

    def worker_group(self, pool: str) -> str:
        return f"{self.kafka.group_prefix}.workers.{pool}"

    def ingest_group(self, site: str | None) -> str:
        """The ingesters of a site share its cameras."""
        return f"{self.kafka.group_prefix}.ingest" + (f".{site}" if site else "")

    @property
    def alarm_group(self) -> str:
        """The sinks, as readers of people's requests."""
        return f"{self.kafka.group_prefix}.sinks.alarms"

    @property
    def sink_group(self) -> str:
        return f"{self.kafka.group_prefix}.sinks"
