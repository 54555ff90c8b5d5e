"""What the topics of a line allow, and the broker's version: read at start, compared with what the line relies on."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import KafkaError

from andon.errors import ConfigError
from andon.events import Emit, TopicUnfit
from andon.settings import KafkaSettings
from andon.stream.clients import admin, network, started

INIT_PRODUCER_ID = 22
"""Key of a request in Kafka's protocol."""
OLDEST = 3
"""Its version since Kafka 2.5 (KIP-360): an older broker refuses a producer that it has forgotten for ever."""
ROOM_BYTES = 100_000
"""Headers and a batch's own bytes beside the largest value."""


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic as the broker describes it."""

    name: str
    replicas: int
    configs: Mapping[str, str]

    def number(self, config: str) -> int | None:
        value = self.configs.get(config, "")
        return int(value) if value.lstrip("-").isdigit() else None


async def check_topics(kafka: KafkaSettings, names: Sequence[str], emit: Emit) -> dict[str, int]:
    """Emit a TopicUnfit for each setting of these topics that does not fit. Returns the largest record of each topic,
    as far as it is known. Topics that are missing are left out.

    Raises ConfigError, in one line, where data would be lost or nothing would be taken.
    """
    async with started(lambda: admin(kafka), kafka, emit) as client:
        try:
            topics = await _described(client, names)
        except KafkaError as error:
            emit(TopicUnfit(", ".join(names), f"its settings can't be read: {str(error) or type(error).__name__}"))
            return {}
        for name in sorted(set(names) & set(await client.list_topics()) - {topic.name for topic in topics}):
            need = "give the user of kafka.sasl_username the ACL DescribeConfigs on it"
            emit(TopicUnfit(name, f"its settings can't be read: {need}"))
        _require_version(client, kafka)
    for topic in topics:
        of_cameras = topic.name == kafka.cameras_topic
        if reason := (forgetful if of_cameras else unusable)(topic):
            raise ConfigError(f"{topic.name} at {kafka.bootstrap_servers}: {reason}")
        for line in (unfit_for_cameras if of_cameras else unfit)(topic, kafka):
            emit(TopicUnfit(topic.name, line))
    limits = {topic.name: topic.number("max.message.bytes") for topic in topics}
    return {name: limit for name, limit in limits.items() if limit is not None}


def forgetful(topic: Topic) -> str | None:
    """Why the line must not begin with this topic of cameras, and what to do."""
    policy = topic.configs.get("cleanup.policy") or "compact"
    if policy == "compact":
        return None
    return f"its cleanup.policy is {policy}, so Kafka would forget cameras after a while: set cleanup.policy=compact"


def unusable(topic: Topic) -> str | None:
    """Why the line must not begin with this topic, and what to do."""
    if "compact" in topic.configs.get("cleanup.policy", ""):
        return (
            "its cleanup.policy is compact, so Kafka would keep one record of each camera and delete all others: set"
            " cleanup.policy=delete"
        )
    least = topic.number("min.insync.replicas")
    if least is not None and least > topic.replicas:
        return (
            f"its min.insync.replicas is {least}, and it has {topic.replicas} replicas, so the broker would take no"
            " record: lower the one or raise the other"
        )
    return None


def unfit(topic: Topic, kafka: KafkaSettings) -> Iterator[str]:
    """One line for each setting that differs from what the line relies on: the setting, what follows, what to do."""
    largest, needed = topic.number("max.message.bytes"), kafka.max_record_bytes
    if largest is not None and largest < needed:
        yield (
            f"max.message.bytes is {largest}, kafka.max_record_bytes {needed}: a frame whose picture is larger goes on"
            " without it and is quarantined; raise the one, or lower the other or the pictures' longest_side"
        )
    kept_ms, wanted_ms = topic.number("retention.ms"), kafka.retention_minutes * 60_000
    if kept_ms is not None and 0 <= kept_ms < wanted_ms:
        yield (
            f"retention.ms is {kept_ms}, kafka.retention_minutes {kafka.retention_minutes:g}: records that wait longer"
            " are lost as expired"
        )
    kept_bytes = topic.number("retention.bytes")
    if kept_bytes is not None and kept_bytes >= 0:
        yield (f"retention.bytes is {kept_bytes}: records beyond that are lost as expired; set it to -1")
    if _stamped_by_hosts(topic):
        yield (
            "message.timestamp.type is CreateTime: retention counts from the capture, clocks can't be compared, and a"
            " log that lost its end may not be noticed; set it to LogAppendTime"
        )
    yield from _safe(topic, kafka)


def unfit_for_cameras(topic: Topic, kafka: KafkaSettings) -> Iterator[str]:
    """As `unfit`, of the topic of cameras."""
    if _stamped_by_hosts(topic):
        yield (
            "message.timestamp.type is CreateTime: the broker refuses the cameras of a host whose clock is an hour"
            " ahead; set it to LogAppendTime"
        )
    yield from _safe(topic, kafka)


def _stamped_by_hosts(topic: Topic) -> bool:
    return topic.configs.get("message.timestamp.type", "LogAppendTime") != "LogAppendTime"


def _safe(topic: Topic, kafka: KafkaSettings) -> Iterator[str]:
    """What may lose records that the broker has acknowledged."""
    if topic.replicas < kafka.replication:
        yield f"it has {topic.replicas} replicas, kafka.replication is {kafka.replication}"
    if topic.replicas > 1 and topic.number("min.insync.replicas") == 1:
        yield (
            "min.insync.replicas is 1: a record counts as taken when one broker has it, and is lost with that broker;"
            f" set it to {topic.replicas - 1}"
        )
    if topic.replicas > 1 and topic.configs.get("unclean.leader.election.enable") == "true":
        yield (
            "unclean.leader.election.enable is true: the broker may lose records that it has acknowledged; set it to"
            " false"
        )


async def _described(client: AIOKafkaAdminClient, names: Sequence[str]) -> list[Topic]:
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    replicas = {
        item["topic"]: min((len(part["replicas"]) for part in item["partitions"]), default=0)
        for item in await client.describe_topics(None)  # asking for one by name may create it
    }
    topics = []
    for response in await client.describe_configs(resources):
        for code, _, _, name, entries, *_ in response.resources:
            if not code and name in replicas:
                configs = {entry[0]: entry[1] or "" for entry in entries}
                topics.append(Topic(name, replicas[name], configs))
    return topics


def _require_version(client: AIOKafkaAdminClient, kafka: KafkaSettings) -> None:
    connections: Sequence[Any] = list(network(client)._conns.values())
    for connection in connections:
        _, newest = (connection._versions or {}).get(INIT_PRODUCER_ID, (0, 0))
        if newest < OLDEST:
            raise ConfigError(f"Kafka at {kafka.bootstrap_servers} is older than 2.5: update it")
