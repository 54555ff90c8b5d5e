"""Settings of every process: the address of its probes, its time limits and its log."""

from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from andon.settings.section import Positive, Section


class HttpSettings(Section):
    host: str = "127.0.0.1"
    port: int = Field(default=0, ge=0, le=65535)
    """The port of /livez, /readyz and /metrics. 0 takes a free one and logs it; a container sets it."""


class RunSettings(Section):
    drain_s: Positive = 20.0
    """Seconds in which a stopping process may finish its work."""
    loop_timeout_s: Positive = 60.0
    """Seconds without a turn of the event loop, past which the process ends. 60: far above any pause ever measured."""
    stalled_s: Positive = 30.0
    """Seconds for which work may wait while nothing of it gets done: frames that the broker does not acknowledge, lag
    that nobody works off, alerts that do not leave. Past it the process is not ready, says why, and `andon audit`
    fails. 30: above every pause of a line that recovers by itself (a change of owner, a broker that is elected). Work
    that is slower by itself may stand still for ten times its usual interval."""
    log_format: Literal["logfmt", "json"] = "logfmt"
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_max_bytes: int = Field(default=10_000_000, ge=100_000)
    """Bytes of one log file of `andon up`; then it becomes NAME.log.1 and a new one begins. Other processes write to
    standard output, which whoever runs them rotates."""
    log_files: int = Field(default=5, ge=2)
    """Log files kept for each process of `andon up`, the current one included. 5: 50 MB for each process."""


class TracingSettings(Section):
    """Traces for OpenTelemetry. What is not here the SDK reads from its own variables: OTEL_EXPORTER_OTLP_HEADERS,
    OTEL_EXPORTER_OTLP_CERTIFICATE, OTEL_EXPORTER_OTLP_TIMEOUT, OTEL_RESOURCE_ATTRIBUTES."""

    endpoint: str | None = None
    """The collector that takes OTLP over HTTP, such as http://collector:4318. None: nothing is traced. It takes
    `andon[traces]` in each process."""
    sample: float = Field(default=0.01, ge=0, le=1)
    """Share of the frames that are traced. Ingest decides, once for the whole way of a frame. 0.01: a camera with 30
    pictures a second gives a trace every three seconds."""

    @field_validator("endpoint")
    @classmethod
    def _reachable(cls, endpoint: str | None) -> str | None:
        parts = urlsplit(endpoint or "http://none")
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("write it as http://HOST:PORT or https://HOST:PORT")
        if parts.username is not None:
            raise ValueError("it holds a login: put it into OTEL_EXPORTER_OTLP_HEADERS instead")
        return endpoint

    @property
    def url(self) -> str:
        """Where spans go; OTLP's own path, where the endpoint has none."""
        endpoint = (self.endpoint or "").rstrip("/")
        return endpoint if urlsplit(endpoint).path else f"{endpoint}/v1/traces"
