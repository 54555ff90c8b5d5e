"""The servers of a run: broker and Redis, started once, stopped always; names of topics that are new for each line."""

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
    """What runs: `kafka` and `redis` are the addresses, `broker` says which broker it is."""

    broker: str
    """`Apache Kafka` or `embedded (Tansu)`."""
    kafka: KafkaSettings
    redis: RedisSettings
    pids: dict[str, int]
    """Of `broker` and `redis`, for their CPU."""

    def fresh_kafka(self, partitions: int = PARTITIONS) -> KafkaSettings:
        """The same broker with topics and groups that nobody has used; nothing is created."""
        prefix = f"bench{next(_NUMBERS)}"
        topics = ("frames", "inspections", "defects", "quarantine", "cameras")
        names = {f"{topic}_topic": f"{prefix}.{topic}" for topic in topics}
        more = {**names, "group_prefix": prefix, "partitions": partitions}
        return self.kafka.model_copy(update=more)

    def fresh_redis(self) -> RedisSettings:
        """The same Redis under a prefix that nobody has used."""
        return self.redis.model_copy(update={"prefix": f"bench{next(_NUMBERS)}"})


@contextmanager
def servers(folder: Path, *, embedded: bool | None = None) -> Iterator[Servers]:
    """Start both (blocks for seconds); their files and logs lie in `folder`.

    `embedded` None: Apache Kafka where ANDON_KAFKA_HOME names a distribution. Raises FatalError or ConfigError, one
    line, where a server can't be started.
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
