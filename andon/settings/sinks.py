"""The sinks: their store, their evidence and their alerts."""

from typing import Literal

from pydantic import Field, SecretStr, field_validator

from andon.settings.section import Positive, Section


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
    """Records between fetch and commit. Bounds memory and redelivery."""
    batch_ms: Positive = 20.0
    """Milliseconds for which inspections are gathered into one transaction, after the broker has gathered them for up
    to kafka.fetch_max_wait_ms. Both are part of every alert's latency."""
    evidence: EvidenceSettings = EvidenceSettings()
    alerts: tuple[Literal["redis", "kafka"], ...] = ("redis", "kafka")
    silence_s: Positive = 3.0
    """Seconds without a frame after which a watched camera has a gap, which `andon audit` lists."""
