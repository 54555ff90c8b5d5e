"""The servers of a run, broker and Redis: started once, always stopped. Each line gets topics of its own."""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from pydantic import SecretStr

from andon.settings import KafkaSettings, RedisSettings
from deploy.local.broker import EmbeddedBroker
from deploy.local.kafka import ApacheKafka
from deploy.local.redis import EmbeddedRedis

PARTITIONS = 8
_NUMBERS = count(1)


@dataclass(frozen=True, slots=True)
class Servers:
    """`kafka` and `redis` are the addresses; `broker` says which broker runs."""

    broker: str
    """`Apache Kafka` or `embedded (Tansu)`."""
    kafka: KafkaSettings
    redis: RedisSettings
    pids: dict[str, int]
    """Of `broker` and `redis`, to measure their CPU."""

    def fresh_kafka(self, partitions: int = PARTITIONS) -> KafkaSettings:
        """The same broker with unused names of topics and groups. Creates nothing."""
        prefix = f"bench{next(_NUMBERS)}"
        topics = ("frames", "inspections", "defects", "quarantine", "cameras")
        names = {f"{topic}_topic": f"{prefix}.{topic}" for topic in topics}
        more = {**names, "group_prefix": prefix, "partitions": partitions}
        return self.kafka.model_copy(update=more)

    def fresh_redis(self) -> RedisSettings:
        """The same Redis under an unused prefix."""
        return self.redis.model_copy(update={"prefix": f"bench{next(_NUMBERS)}"})


@contextmanager
def servers(folder: Path, *, embedded: bool | None = None) -> Iterator[Servers]:
    """Start both; blocks for seconds. `folder` gets their files and logs.

    With `embedded` None the broker is Apache Kafka if ANDON_KAFKA_HOME names a distribution. Raises FatalError or
    ConfigError, with one line, if a server does not start.
    """
    home = os.environ.get("ANDON_KAFKA_HOME")
    logs = folder / "logs"
    with ExitStack() as stack:
        redis = stack.enter_context(EmbeddedRedis(logs))
        where = RedisSettings(url=SecretStr(redis.url))
        if home and not embedded:
            apache = stack.enter_context(ApacheKafka(Path(home), folder / "kafka", logs))
            kafka = KafkaSettings(bootstrap_servers=apache.bootstrap_servers)
            yield Servers("Apache Kafka", kafka, where, {"broker": apache.pid, "redis": redis.pid})
            return
        tansu = stack.enter_context(EmbeddedBroker(logs))
        kafka = KafkaSettings(bootstrap_servers=tansu.bootstrap_servers, idempotent=False)
        yield Servers("embedded (Tansu)", kafka, where, {"broker": tansu.pid, "redis": redis.pid})
