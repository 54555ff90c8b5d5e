"""line.yaml and ANDON_* -> Settings; the only reader of the environment.

One file describes a line. `ANDON_SECTION__KEY` overrides a key of it; `${VAR}` in it reads a secret from the
environment, `${file:PATH}` one from a file. Each field's text gives its unit and the reason for its default.
"""

from andon.settings.board import (
    BoardRole,
    BoardSettings,
    BoardTarget,
    BoardTls,
    OidcSettings,
    ScreenLine,
    ScreenSettings,
)
from andon.settings.cameras import CameraSettings, HealthSettings
from andon.settings.channels import (
    AlertChannelSettings,
    ChannelSettings,
    ExtensionChannelSettings,
    KafkaChannelSettings,
    RedisChannelSettings,
)
from andon.settings.genicam import GenicamSettings
from andon.settings.ingest import IngestSettings, SpoolSettings
from andon.settings.judgement import CameraPartSettings, DefectClass, DefectSettings, Line, PartSettings
from andon.settings.kafka import KafkaSettings
from andon.settings.line import REGISTRY, Settings
from andon.settings.process import HttpSettings, RunSettings, TracingSettings
from andon.settings.redis import RedisSettings
from andon.settings.section import PoolName, Positive, Section
from andon.settings.shifts import DAYS, ShiftSettings
from andon.settings.sinks import ClipSettings, EvidenceSettings, KeepDays, SinkSettings
from andon.settings.usb import UsbSettings
from andon.settings.workers import BatchSettings, ModelSettings, PoolSettings, ScalingSettings, WorkerSettings

__all__ = [
    "DAYS",
    "REGISTRY",
    "AlertChannelSettings",
    "BatchSettings",
    "BoardRole",
    "BoardSettings",
    "BoardTarget",
    "BoardTls",
    "CameraPartSettings",
    "CameraSettings",
    "ChannelSettings",
    "ClipSettings",
    "DefectClass",
    "DefectSettings",
    "EvidenceSettings",
    "ExtensionChannelSettings",
    "GenicamSettings",
    "HealthSettings",
    "HttpSettings",
    "IngestSettings",
    "KafkaChannelSettings",
    "KafkaSettings",
    "KeepDays",
    "Line",
    "ModelSettings",
    "OidcSettings",
    "PartSettings",
    "PoolName",
    "PoolSettings",
    "Positive",
    "RedisChannelSettings",
    "RedisSettings",
    "RunSettings",
    "ScalingSettings",
    "ScreenLine",
    "ScreenSettings",
    "Section",
    "Settings",
    "ShiftSettings",
    "SinkSettings",
    "SpoolSettings",
    "TracingSettings",
    "UsbSettings",
    "WorkerSettings",
]
