"""Reads logs apart from every group: a whole topic, a single record by its reference, and where partitions end."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from andon.errors import FatalError, RetryableError
from andon.events import Emit
from andon.messages import RecordRef
from andon.settings import KafkaSettings
from andon.stream.clients import consumer, network, started
from andon.stream.consumer import KafkaConsumer, record_of
from andon.stream.offsets import Ends, Partition
from andon.wire import Record

END_S = 5.0
"""Time limit for reading the records at the ends of logs."""
POLL_MS = 200


async def ends_of(client: AIOKafkaConsumer, partitions: Collection[Partition]) -> dict[Partition, Ends]:
    """Where the logs of these begin and end, with as many requests for many of them as for one.

    The embedded broker gives the last batch's first offset for its last, so the batch itself is fetched.
    `client` is in no group, and used by nobody else. Raises TimeoutError or KafkaError while the broker is away.
    """
    wanted = [TopicPartition(*item) for item in partitions]
    first, end = await client.beginning_offsets(wanted), await client.end_offsets(wanted)
    with_records = [item for item in wanted if end[item] > first[item]]
    if with_records:
        end |= await _fetched_ends(client, {item: end[item] for item in with_records})
    return {Partition(*item): Ends(first[item], end[item]) for item in wanted}


async def _fetched_ends(client: AIOKafkaConsumer, end: Mapping[TopicPartition, int]) -> dict[TopicPartition, int]:
    client.assign(list(end))
    try:
        for item, offset in end.items():
            client.seek(item, offset - 1)
        waiting = set(end)
        async with asyncio.timeout(END_S):
            while waiting:
                waiting -= (await client.getmany(*waiting, timeout_ms=POLL_MS)).keys()
        return {item: max(offset, client.highwater(item) or 0) for item, offset in end.items()}
    finally:
        client.unsubscribe()


class KafkaLogEnds:
    """Asks for the ends of logs, through a consumer that is started, in no group, and used by nobody else."""

    def __init__(self, client: AIOKafkaConsumer) -> None:
        self._client = client

    async def read(self, partitions: Collection[Partition]) -> Mapping[Partition, Ends]:
        """Raises RetryableError while the broker does not answer."""
        try:
            return await ends_of(self._client, partitions)
        except (KafkaError, TimeoutError) as error:
            raise RetryableError(f"the log's ends: {type(error).__name__}") from None


class TopicReader:
    """Reads every record of a topic. `read_topic` makes it."""

    def __init__(self, client: AIOKafkaConsumer, partitions: Sequence[Partition]) -> None:
        self.partitions = partitions
        self._client = client
        self._consumer = KafkaConsumer(client)

    @property
    def at_end(self) -> bool:
        """Every record that each partition had at its last fetch has been taken."""
        return all(self._at_end(partition) for partition in self.partitions)

    @property
    def answers(self) -> dict[Partition, int | None]:
        """When the broker last answered a fetch of each partition, in ms; None: not yet."""
        return {partition: self._consumer.answered_ms(partition) for partition in self.partitions}

    def wait_longer(self, ms: int) -> None:
        """From the next fetch on, let the broker hold an answer without records for so long. Records come at once, but
        from the embedded broker at the end of that time."""
        self._client._fetcher._fetch_max_wait_ms = ms

    def position(self, partition: int) -> int:
        """The offset from which this partition of the topic is read on."""
        return max(self._consumer.position(item) or 0 for item in self.partitions if item.partition == partition)

    def _at_end(self, partition: Partition) -> bool:
        end, position = self._consumer.highwater(partition), self._consumer.position(partition)
        return end is not None and position is not None and position >= end

    async def poll(self, timeout_ms: int = 100) -> Mapping[Partition, Sequence[Record]]:
        """The next records; none where none come within `timeout_ms`.

        Raises FatalError where Kafka refuses for good.
        """
        return await self._consumer.poll(self.partitions, timeout_ms=timeout_ms)


@asynccontextmanager
async def read_topic(settings: KafkaSettings, topic: str, emit: Emit) -> AsyncIterator[TopicReader]:
    """Read a topic from its first record on. Raises FatalError, in one line, where there is none."""
    async with started(lambda: consumer(settings, None), settings, emit) as client:
        cluster = await network(client).fetch_all_metadata()  # asking for one topic by name may create it
        partitions = [TopicPartition(topic, number) for number in sorted(cluster.partitions_for_topic(topic) or ())]
        if not partitions:
            raise FatalError(
                f"the topic {topic} is missing at {settings.bootstrap_servers}: `andon topics create` makes it"
            )
        client.assign(partitions)
        await client.seek_to_beginning(*partitions)
        yield TopicReader(client, [Partition(*item) for item in partitions])


class RecordReader:
    """Reads single records back by their reference, apart from every group."""

    def __init__(self, client: AIOKafkaConsumer, timeout_s: float = 5.0) -> None:
        """`client` is started, in no group, and used by nobody else."""
        self._client = client
        self._timeout_s = timeout_s
        self._turn = asyncio.Lock()

    async def read(self, ref: RecordRef) -> Record | None:
        """The record at `ref`, or None where retention has passed it (or the log is not the one that it was in).

        Raises RetryableError while the broker is away.
        """
        try:
            return await self._read(ref)
        except (KafkaError, OSError, TimeoutError) as error:
            raise RetryableError(" ".join(str(error).split()) or type(error).__name__) from error

    async def _read(self, ref: RecordRef) -> Record | None:
        partition, here = TopicPartition(ref.topic, ref.partition), Partition(ref.topic, ref.partition)
        async with self._turn, asyncio.timeout(self._timeout_s):
            first = (await self._client.beginning_offsets([partition]))[partition]
            end = (await self._client.end_offsets([partition]))[partition]
            if ref.offset >= end:
                first, end = (await ends_of(self._client, [here]))[here]
            if not first <= ref.offset < end:
                return None
            self._client.assign([partition])
            self._client.seek(partition, ref.offset)
            try:
                raw = await self._client.getone(partition)
            finally:
                self._client.unsubscribe()  # it would go on to fetch what follows
        if raw.offset != ref.offset:
            return None
        return record_of(raw)
