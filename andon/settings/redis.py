"""Where the live state of the cameras, the alerts and the verdicts on parts go in Redis."""

from pydantic import Field, SecretStr

from andon.settings.section import Positive, Section


class RedisSettings(Section):
    url: SecretStr = SecretStr("redis://127.0.0.1:6379/0")
    prefix: str = "andon"
    """Each key begins with this and a colon."""
    timeout_s: Positive = 2.0
    """Seconds until a command to Redis counts as failed."""
    inspections_maxlen: int = Field(default=10_000, ge=1)
    """Inspections in the capped stream that the board and people look at."""
    alerts_maxlen: int = Field(default=100_000, ge=1)
    """Alerts in the capped stream."""
    parts_maxlen: int = Field(default=100_000, ge=1)
    """Verdicts in the capped stream of parts. 100,000: seven hours at 240 parts a minute."""
    dedup_hours: Positive = 48.0
    """Hours for which a repeated alert is recognised."""
