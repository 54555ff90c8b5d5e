"""How each process reaches the broker, and the names of the topics."""

from typing import Literal

from pydantic import Field, SecretStr

from andon.settings.section import Positive, Section


class KafkaSettings(Section):
    bootstrap_servers: str = "127.0.0.1:9092"
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = "SCRAM-SHA-512"
    sasl_username: str = ""
    sasl_password: SecretStr = SecretStr("")
    ssl_cafile: str | None = None
    """A file with the certificate authorities to trust, in PEM. None: those of this machine."""
    frames_topic: str = "andon.frames"
    inspections_topic: str = "andon.inspections"
    defects_topic: str = "andon.defects"
    quarantine_topic: str = "andon.quarantine"
    cameras_topic: str = "andon.cameras"
    alarms_topic: str = "andon.alarms"
    """Alarms, and what people ask the line to do with them."""
    group_prefix: str = "andon"
    """The name of each consumer group begins with this and a dot."""
    partitions: int = Field(default=24, ge=1)
    """Partitions of each topic that `andon topics create` makes, but for `cameras_topic`. Workers scale up to this
    number, so it is generous."""
    camera_partitions: int = Field(default=64, ge=1)
    """Partitions of `cameras_topic`. Ingesters share the cameras by them, so no more ingesters than that of a site have
    work. It can't be changed later: a camera's records stay in one partition."""
    replication: int = Field(default=1, ge=1)
    """Copies of each partition. 1: a single broker."""
    retention_minutes: Positive = 60.0
    """Minutes for which frames can be read back, for evidence and replay."""
    idempotent: bool = True
    """The idempotent producer: a retried send neither duplicates nor reorders records. The embedded broker lacks it."""
    max_record_bytes: int = Field(default=8_000_000, ge=10_000)
    """Bytes of the largest record that is sent."""
    fetch_max_wait_ms: int = Field(default=100, ge=1)
    """Milliseconds for which the broker may hold a fetch that has no data. Below 50 the embedded broker stalls."""
    request_timeout_s: Positive = 20.0
    """Seconds until a request to the broker counts as failed."""
    session_timeout_s: Positive = 10.0
    """Seconds of silence after which the broker takes a member for dead and moves its partitions."""
    member: str = Field(default="", pattern=r"^[a-zA-Z0-9._-]{0,200}$")
    """A name that this process keeps when it restarts (`group.instance.id`), for example its pod's. Two processes of a
    group must never bear the same one. With it, a process that is back within `session_timeout_s` gets its own
    partitions again and no other member notices; one that stops for good is missed only after that time.
    Empty: what a process leaves moves at once. The embedded broker does not know it."""
    start_timeout_s: Positive = 60.0
    """Seconds for which a starting process waits for the broker. After that it gives up with one clear line."""
    epoch: str = ""
    """Names the log where the broker cannot. `andon up` sets it, because its broker starts empty each time."""
