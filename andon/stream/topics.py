"""The line's topics: created with every setting that the line relies on, and waited for."""

import asyncio
from collections.abc import Iterable, Iterator, Sequence, Set
from contextlib import contextmanager, suppress

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAlreadyExistsError, for_code

from andon.errors import FatalError
from andon.events import Emit, Retrying
from andon.settings import KafkaSettings, Settings
from andon.stream.clients import admin, started
from andon.stream.topic_settings import ROOM_BYTES

TOPIC_POLL_S = 1.0
KNOWN_POLL_S = 0.05
KNOWN_WITHIN_S = 10.0
"""Seconds for which new topics are looked for. Who may create topics, and may not see them, goes on after that."""


async def ensure_topics(settings: Settings, emit: Emit) -> list[str]:
    """Create the topics of the line that are missing, and wait until the broker lists them. Returns their names.

    Raises FatalError, in one line, when the broker refuses it or goes away meanwhile.
    """
    kafka = settings.kafka
    partitions = line_topics(settings)
    async with started(lambda: admin(kafka), kafka, emit) as client:
        with _one_line(kafka, "create"):
            existing = set(await client.list_topics())
            missing = {name: count for name, count in partitions.items() if name not in existing}
            if missing:
                await _create(client, missing, kafka)
                await _listed(client, missing.keys())
    return sorted(missing)


def line_topics(settings: Settings) -> dict[str, int]:
    """The names of the line's topics, and the number of partitions that each is created with."""
    kafka = settings.kafka
    wide = [settings.pool_topic(pool) for pool in settings.pools]
    wide += [kafka.inspections_topic, kafka.defects_topic, kafka.alarms_topic]
    # the ingesters are a group over the cameras' topic: its partitions are what they share
    own = {kafka.quarantine_topic: 1, kafka.cameras_topic: kafka.camera_partitions}
    return dict.fromkeys(wide, kafka.partitions) | own


class Topics:
    """Whether topics exist, each asked for until it does. Event loop only."""

    def __init__(self, kafka: KafkaSettings, emit: Emit) -> None:
        self._kafka = kafka
        self._emit = emit
        self._existing: set[str] = set()

    async def exists(self, topic: str) -> bool:
        if topic not in self._existing:
            async with started(lambda: admin(self._kafka), self._kafka, self._emit) as client:
                with _one_line(self._kafka, "list"):
                    self._existing = set(await client.list_topics())
        return topic in self._existing

    async def require(self, topics: Iterable[str]) -> None:
        """Raises FatalError, in one line, where one of them is missing."""
        missing = [topic for topic in topics if not await self.exists(topic)]
        if missing:
            named = f"the topic {missing[0]} is" if len(missing) == 1 else f"the topics {', '.join(missing)} are"
            where = self._kafka.bootstrap_servers
            raise FatalError(f"{named} missing at {where}: `andon topics create` makes what is missing")


async def missing_topics(settings: Settings, emit: Emit) -> list[str]:
    """Topics of the line that its broker does not have.

    Raises FatalError, in one line, when the broker refuses it or goes away meanwhile.
    """
    kafka = settings.kafka
    async with started(lambda: admin(kafka), kafka, emit) as client:
        with _one_line(kafka, "list"):
            return sorted(line_topics(settings).keys() - set(await client.list_topics()))


async def topic_there(client: AIOKafkaConsumer, topic: str, settings: KafkaSettings, emit: Emit) -> None:
    """Wait for a topic: a member that subscribes before the topic exists notices it only minutes later.

    A broker that does not answer is asked again, too. Raises FatalError after `start_timeout_s`.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + settings.start_timeout_s
    attempt = 0
    while complaint := await _complaint(client, topic, settings.bootstrap_servers):
        if loop.time() >= deadline:
            raise FatalError(f"the topic {topic} {complaint}")
        attempt += 1
        emit(Retrying(f"topic {topic}", complaint, attempt, TOPIC_POLL_S))
        await asyncio.sleep(TOPIC_POLL_S)


async def _complaint(client: AIOKafkaConsumer, topic: str, servers: str) -> str:
    """Why the topic can't be read yet. Empty: it can."""
    try:
        there = topic in await client.topics()
    except KafkaError as error:
        return f"can't be looked up at {servers}: {str(error) or type(error).__name__}"
    return "" if there else f"is missing at {servers}: `andon topics create` makes it"


async def partitions_of(administrator: AIOKafkaAdminClient, topic: str) -> list[TopicPartition]:
    """In order. Empty: there is no such topic."""
    if topic not in await administrator.list_topics():  # asking for one by name may create it
        return []
    (described,) = await administrator.describe_topics([topic])
    return [TopicPartition(topic, number) for number in sorted(item["partition"] for item in described["partitions"])]


async def partition_counts(topics: Sequence[str], kafka: KafkaSettings, emit: Emit) -> dict[str, int]:
    """The number of partitions of each of `topics`, which must exist.

    Raises FatalError, in one line, when the broker refuses it or goes away meanwhile.
    """
    async with started(lambda: admin(kafka), kafka, emit) as client:
        with _one_line(kafka, "describe"):
            described = await client.describe_topics(topics)
    return {item["topic"]: len(item["partitions"]) for item in described}


async def _create(client: AIOKafkaAdminClient, topics: dict[str, int], kafka: KafkaSettings) -> None:
    response = await client.create_topics(new_topics(topics, kafka))
    for name, code, *details in response.topic_errors:
        if code not in (0, TopicAlreadyExistsError.errno):  # another process may have been faster
            reason = next((detail for detail in details if detail), for_code(code).__name__)
            raise FatalError(f"topic {name!r} can't be created at {kafka.bootstrap_servers}: {reason}")


async def _listed(client: AIOKafkaAdminClient, topics: Set[str]) -> None:
    """Wait for new topics: the controller answers before the brokers have heard of them.

    A member of a group that subscribes in between is assigned nothing. Of several brokers one is asked; a member that
    meets another one looks again after `clients.METADATA_AGE_S`.
    """
    with suppress(TimeoutError):
        async with asyncio.timeout(KNOWN_WITHIN_S):
            while topics - set(await client.list_topics()):  # noqa: ASYNC110 - another process's state can only be polled
                await asyncio.sleep(KNOWN_POLL_S)


def new_topics(topics: dict[str, int], kafka: KafkaSettings) -> list[NewTopic]:
    """The topics with these numbers of partitions, with every setting that the line relies on."""
    limits = {
        "cleanup.policy": "delete",
        "retention.ms": str(int(kafka.retention_minutes * 60_000)),
        "retention.bytes": "-1",
        "message.timestamp.type": "LogAppendTime",
        # retention counts from when a record came, not from its capture, and a host's clock may be hours ahead
        "max.message.bytes": str(kafka.max_record_bytes + ROOM_BYTES),
        "min.insync.replicas": str(max(1, kafka.replication - 1)),
        "unclean.leader.election.enable": "false",
        "compression.type": "producer",
    }
    return [
        NewTopic(name, partitions, kafka.replication, topic_configs=_topic_configs(name, kafka, limits))
        for name, partitions in topics.items()
    ]


def _topic_configs(name: str, kafka: KafkaSettings, limits: dict[str, str]) -> dict[str, str]:
    if name == kafka.cameras_topic:
        kept = ("message.timestamp.type", "min.insync.replicas", "unclean.leader.election.enable")
        return {"cleanup.policy": "compact"} | {key: limits[key] for key in kept}
    return limits


@contextmanager
def _one_line(kafka: KafkaSettings, action: str) -> Iterator[None]:
    try:
        yield
    except KafkaError as error:
        reason = str(error) or type(error).__name__
        raise FatalError(f"Kafka at {kafka.bootstrap_servers} does not {action} the topics: {reason}") from None
