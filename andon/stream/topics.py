"""The line's topics: created with every setting that the line relies on, and waited for."""

import asyncio

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError, for_code

from andon.errors import FatalError
from andon.events import Emit, Retrying
from andon.settings import KafkaSettings, Settings
from andon.stream.clients import admin, started

TOPIC_POLL_S = 1.0


async def ensure_topics(settings: Settings, emit: Emit) -> list[str]:
    """Create the line's topics where they are missing; returns the names of those created."""
    kafka = settings.kafka
    keyed = {settings.pool_topic(pool): kafka.partitions for pool in settings.pools}
    keyed |= {kafka.inspections_topic: kafka.partitions, kafka.defects_topic: kafka.partitions}
    keyed |= {kafka.quarantine_topic: 1, kafka.cameras_topic: 1}
    async with started(lambda: admin(kafka), kafka, emit) as client:
        existing = set(await client.list_topics())
        missing = {name: count for name, count in keyed.items() if name not in existing}
        if missing:
            await _create(client, missing, kafka)
    return sorted(missing)


async def topic_there(client: AIOKafkaConsumer, topic: str, settings: KafkaSettings, emit: Emit) -> None:
    """Wait for a topic: a member that subscribed before it existed would learn of it only minutes later.

    Raises:
        FatalError: it is still missing after `start_timeout_s`.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + settings.start_timeout_s
    attempt = 0
    while topic not in await client.topics():
        if loop.time() >= deadline:
            raise FatalError(
                f"the topic {topic} is missing at {settings.bootstrap_servers}: `andon topics create` makes it"
            )
        attempt += 1
        emit(Retrying(f"topic {topic}", "not there yet: `andon topics create` makes it", attempt, TOPIC_POLL_S))
        await asyncio.sleep(TOPIC_POLL_S)


async def partitions_of(administrator: AIOKafkaAdminClient, topic: str) -> list[TopicPartition]:
    """In order; empty where there is no such topic."""
    if topic not in await administrator.list_topics():  # asking for one by name may create it
        return []
    (described,) = await administrator.describe_topics([topic])
    return [TopicPartition(topic, number) for number in sorted(item["partition"] for item in described["partitions"])]


async def _create(client: AIOKafkaAdminClient, topics: dict[str, int], kafka: KafkaSettings) -> None:
    limits = {
        "retention.ms": str(int(kafka.retention_minutes * 60_000)),
        "message.timestamp.type": "LogAppendTime",  # retention counts from when a record came, not from its capture
        "max.message.bytes": str(kafka.max_record_bytes + 100_000),
    }
    new = [
        NewTopic(name, partitions, kafka.replication, topic_configs=_topic_configs(name, kafka, limits))
        for name, partitions in topics.items()
    ]
    response = await client.create_topics(new)
    for name, code, *details in response.topic_errors:
        if code not in (0, TopicAlreadyExistsError.errno):  # another process may have been faster
            reason = next((detail for detail in details if detail), for_code(code).__name__)
            raise FatalError(f"topic {name!r} can't be created at {kafka.bootstrap_servers}: {reason}")


def _topic_configs(name: str, kafka: KafkaSettings, limits: dict[str, str]) -> dict[str, str]:
    if name == kafka.cameras_topic:
        return {"cleanup.policy": "compact"}
    return limits
