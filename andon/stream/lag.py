"""Measures how far a consumer group is behind, with clients of its own, so that no fetching consumer is disturbed."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from andon.clock import Clock, SystemClock
from andon.errors import ConfigError, FatalError, RetryableError
from andon.events import silent
from andon.messages import RecordRef
from andon.settings import KafkaSettings
from andon.stream.clients import admin, reader, started
from andon.stream.offsets import Partition
from andon.stream.reading import RecordReader, ends_of
from andon.stream.topics import partitions_of

COORDINATOR_S = 0.1


@dataclass(frozen=True, slots=True)
class PartitionLag:
    """One partition of a group."""

    topic: str
    partition: int
    committed: int
    """The next offset to read. While nothing has been committed, the partition's first offset."""
    end: int
    seconds: float
    """Age of the record at `committed`, counted from its capture. 0 without lag."""
    ever_committed: bool = True
    """False: the group has committed nothing here, so nobody may ever have read it."""

    @property
    def records(self) -> int:
        return max(0, self.end - self.committed)


async def group_lag(
    settings: KafkaSettings, group: str, topic: str, *, timeout_s: float = 5.0, clock: Clock | None = None
) -> list[PartitionLag] | None:
    """The lag of every partition of `topic`, in order. None where the broker can't be reached or has no such topic.

    Raises ConfigError where the broker refuses the login or its certificate is not trusted.
    """
    kafka = settings.model_copy(update={"start_timeout_s": timeout_s})
    now = (clock or SystemClock()).now
    try:
        async with (
            started(lambda: admin(kafka), kafka, silent) as administrator,
            started(lambda: reader(kafka), kafka, silent) as client,
        ):
            partitions = await partitions_of(administrator, topic)
            if not partitions:
                return None
            async with asyncio.timeout(timeout_s):
                committed = await _committed(administrator, group, partitions)
            return await _lags(client, partitions, committed, lambda: now().timestamp())
    except ConfigError:
        raise
    except (FatalError, RetryableError, KafkaError, TimeoutError):
        return None


async def _committed(
    administrator: AIOKafkaAdminClient, group: str, partitions: list[TopicPartition]
) -> dict[TopicPartition, int]:
    """Ask again until the broker has a coordinator: just after its start it has none."""
    while True:
        try:
            offsets = await administrator.list_consumer_group_offsets(group, partitions=partitions)
        except KafkaError as error:
            if not error.retriable:
                raise
            await asyncio.sleep(COORDINATOR_S)
        else:
            return {item: offsets[item].offset for item in partitions if item in offsets}


async def _lags(
    client: AIOKafkaConsumer,
    partitions: list[TopicPartition],
    committed: dict[TopicPartition, int],
    now_s: Callable[[], float],
) -> list[PartitionLag]:
    ends = await ends_of(client, [Partition(*item) for item in partitions])
    records = RecordReader(client)
    lags = []
    for item in partitions:
        first, end = ends[Partition(*item)]
        offset = max(first, committed.get(item, 0))
        captured_s = await _captured_s(records, item, offset) if offset < end else None
        seconds = 0.0 if captured_s is None else max(0.0, now_s() - captured_s)
        lags.append(PartitionLag(item.topic, item.partition, offset, end, seconds, committed.get(item, -1) >= 0))
    return lags


async def _captured_s(records: RecordReader, item: TopicPartition, offset: int) -> float | None:
    record = await records.read(RecordRef(topic=item.topic, partition=item.partition, offset=offset))
    return None if record is None else record.timestamp_ms / 1000
