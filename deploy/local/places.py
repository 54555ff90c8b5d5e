"""The addresses of a line's broker and Redis: embedded servers, unless line.yaml names others."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import SecretStr

from andon.messages import new_session
from andon.settings import Settings
from deploy.local.broker import EmbeddedBroker
from deploy.local.redis import EmbeddedRedis
from deploy.local.rotating_log import LogLimits
from deploy.local.server import Server


@dataclass(frozen=True, slots=True)
class Ports:
    """The preferred ports of the embedded servers; None: any free port."""

    broker: int | None = None
    redis: int | None = None


ANY = Ports()
USUAL = Ports(9092, 6379)
"""The defaults, at which other commands look for both servers."""


@dataclass(frozen=True, slots=True)
class Places:
    """`settings` with the addresses, the same as ANDON_* for the roles, and the embedded servers (`own`)."""

    settings: Settings
    env: Mapping[str, str]
    own: Mapping[str, Server]

    @property
    def own_broker(self) -> bool:
        return "broker" in self.own


@contextmanager
def places(settings: Settings, folder: Path, ports: Ports) -> Iterator[Places]:
    """Start the servers that line.yaml does not name (blocks some 200 ms); stop them at the end."""
    env: dict[str, str] = {}
    own: dict[str, Server] = {}
    logs, limits = folder / "logs", log_limits(settings)
    with ExitStack() as stack:
        if not _names_broker(settings):
            broker = own["broker"] = stack.enter_context(EmbeddedBroker(logs, ports.broker, limits))
            # it starts empty, at offset 0 again: the epoch names its log
            here = {"bootstrap_servers": broker.bootstrap_servers, "idempotent": False, "epoch": _epoch()}
            settings = settings.model_copy(update={"kafka": settings.kafka.model_copy(update=here)})
            env |= {f"ANDON_KAFKA__{key.upper()}": str(value).lower() for key, value in here.items()}
        if not _names_redis(settings):
            redis = own["redis"] = stack.enter_context(EmbeddedRedis(logs, folder / "redis", ports.redis, limits))
            where = settings.redis.model_copy(update={"url": SecretStr(redis.url)})
            settings = settings.model_copy(update={"redis": where})
            env["ANDON_REDIS__URL"] = redis.url
        yield Places(settings, env, own)


def log_limits(settings: Settings) -> LogLimits:
    return LogLimits(settings.run.log_max_bytes, settings.run.log_files)


def _names_broker(settings: Settings) -> bool:
    return "bootstrap_servers" in settings.kafka.model_fields_set


def _names_redis(settings: Settings) -> bool:
    return "url" in settings.redis.model_fields_set


def _epoch() -> str:
    return f"local-{new_session(datetime.now(UTC))}".lower()
