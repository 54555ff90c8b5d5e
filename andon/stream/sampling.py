"""Reads records from places that are spread evenly over a topic, apart from every group."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from andon.errors import FatalError, RetryableError
from andon.events import Emit
from andon.settings import KafkaSettings
from andon.stream.clients import consumer, network, started
from andon.stream.consumer import record_of
from andon.stream.offsets import Partition
from andon.stream.reading import ends_of
from andon.wire import Record

MOST_BYTES = 200_000_000
"""Of all records together; they are held in memory."""
LOOK_RECORDS = 300
"""From each place on, records that are looked at for a wanted one: a keyframe may come every 10 s."""
POLL_MS = 500


async def sample_topic(
    settings: KafkaSettings, topic: str, count: int, wanted: Callable[[Record], bool], emit: Emit, limit_s: float
) -> list[Record]:
    """Up to `count` records for which `wanted` holds, each once, those of a partition in their order.

    After `limit_s` it returns what it has. Raises FatalError where there is no such topic, RetryableError while the
    broker does not answer.
    """
    found: dict[tuple[int, int], Record] = {}
    async with started(lambda: consumer(settings, None), settings, emit) as client:
        try:
            places = await _places(client, settings, topic, count)
            with suppress(TimeoutError):
                async with asyncio.timeout(limit_s):
                    await _read(client, places, wanted, found)
        except (KafkaError, OSError, TimeoutError) as error:
            raise RetryableError(" ".join(str(error).split()) or type(error).__name__) from error
    return [found[place] for place in sorted(found)]


async def _places(
    client: AIOKafkaConsumer, settings: KafkaSettings, topic: str, count: int
) -> list[tuple[TopicPartition, int]]:
    """Partitions with offsets: each partition gets as many as its share of the records."""
    cluster = await network(client).fetch_all_metadata()  # asking for one topic by name may create it
    partitions = [Partition(topic, number) for number in sorted(cluster.partitions_for_topic(topic) or ())]
    if not partitions:
        raise FatalError(
            f"the topic {topic} is missing at {settings.bootstrap_servers}: `andon topics create` makes it"
        )
    ends = await ends_of(client, partitions)
    total = sum(end.end - end.first for end in ends.values())
    return [
        (TopicPartition(*partition), offset)
        for partition, end in ends.items()
        for offset in _spread(end.first, end.end, count * (end.end - end.first) / max(1, total))
    ]


def _spread(first: int, end: int, share: float) -> Iterator[int]:
    count = min(end - first, max(1, round(share))) if end > first else 0
    return (first + (end - first) * index // count for index in range(count))


async def _read(
    client: AIOKafkaConsumer,
    places: list[tuple[TopicPartition, int]],
    wanted: Callable[[Record], bool],
    found: dict[tuple[int, int], Record],
) -> None:
    client.assign(sorted({partition for partition, _ in places}))
    client.pause(*client.assignment())
    held_bytes = 0
    for partition, offset in places:
        client.seek(partition, offset)
        client.resume(partition)
        record = await _first(client, partition, wanted)
        client.pause(partition)
        if record is not None:
            held_bytes += len(record.value or b"")
            if held_bytes > MOST_BYTES:
                return
            found[partition.partition, record.offset] = record


async def _first(
    client: AIOKafkaConsumer, partition: TopicPartition, wanted: Callable[[Record], bool]
) -> Record | None:
    """The first wanted record from the client's position on."""
    looked_at = 0
    while looked_at < LOOK_RECORDS:
        found = await client.getmany(partition, timeout_ms=POLL_MS, max_records=LOOK_RECORDS - looked_at)
        batch = found.get(partition, ())
        if not batch:
            break
        for raw in batch:
            record = record_of(raw)
            if wanted(record):
                return record
        looked_at += len(batch)
    return None
