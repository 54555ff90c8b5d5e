"""Where a line's broker and Redis are: our own unless line.yaml names them."""

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
from deploy.local.server import Server


@dataclass(frozen=True, slots=True)
class Ports:
    """Where our own servers shall listen if they can; None: at any free port."""

    broker: int | None = None
    redis: int | None = None


ANY = Ports()
USUAL = Ports(9092, 6379)
"""Where other commands look for them when line.yaml names neither."""


@dataclass(frozen=True, slots=True)
class Places:
    """`settings` with the addresses filled in, and the same as ANDON_* for the roles. `own` are our servers."""

    settings: Settings
    env: Mapping[str, str]
    own: Mapping[str, Server]

    @property
    def own_broker(self) -> bool:
        return "broker" in self.own


@contextmanager
def places(settings: Settings, folder: Path, ports: Ports) -> Iterator[Places]:
    """Start what is missing (blocks for some 200 ms), stop it at the end. Logs and Redis' file lie in `folder`."""
    env: dict[str, str] = {}
    own: dict[str, Server] = {}
    with ExitStack() as stack:
        if not _names_broker(settings):
            broker = own["broker"] = stack.enter_context(EmbeddedBroker(folder / "logs", ports.broker))
            # It starts empty, at offset 0 again: the epoch tells its log from the one before.
            here = {"bootstrap_servers": broker.bootstrap_servers, "idempotent": False, "epoch": _epoch()}
            settings = settings.model_copy(update={"kafka": settings.kafka.model_copy(update=here)})
            env |= {f"ANDON_KAFKA__{key.upper()}": str(value).lower() for key, value in here.items()}
        if not _names_redis(settings):
            redis = own["redis"] = stack.enter_context(EmbeddedRedis(folder / "logs", folder / "redis", ports.redis))
            where = settings.redis.model_copy(update={"url": SecretStr(redis.url)})
            settings = settings.model_copy(update={"redis": where})
            env["ANDON_REDIS__URL"] = redis.url
        yield Places(settings, env, own)


def _names_broker(settings: Settings) -> bool:
    return "bootstrap_servers" in settings.kafka.model_fields_set


def _names_redis(settings: Settings) -> bool:
    return "url" in settings.redis.model_fields_set


def _epoch() -> str:
    return f"local-{new_session(datetime.now(UTC))}".lower()
