"""Reads a log apart from every group: a single record back by its reference, and where a partition ends."""

import asyncio

from aiokafka import AIOKafkaConsumer, TopicPartition

from andon.messages import RecordRef
from andon.wire import Record

END_S = 5.0
"""For reading the record at the end of a log."""


async def end_of(client: AIOKafkaConsumer, partition: TopicPartition, first: int) -> int:
    """The offset that the partition's next record will get; `first` is that of its first one.

    The embedded broker names the last batch's first record instead of its last, so a fetch of that batch is asked.
    `client` is in no group, and used by nobody else. Raises TimeoutError or KafkaError while the broker is away.
    """
    told = int((await client.end_offsets([partition]))[partition])
    if told <= first:
        return told
    client.assign([partition])
    try:
        client.seek(partition, told - 1)
        async with asyncio.timeout(END_S):
            await client.getone(partition)
        return max(told, client.highwater(partition) or 0)
    finally:
        client.unsubscribe()


class RecordReader:
    """Reads single records back by their reference, apart from every group."""

    def __init__(self, client: AIOKafkaConsumer, timeout_s: float = 5.0) -> None:
        """`client` is started, in no group, and used by nobody else."""
        self._client = client
        self._timeout_s = timeout_s
        self._turn = asyncio.Lock()

    async def read(self, ref: RecordRef) -> Record | None:
        """The record at `ref`, or None where retention has passed it (or the log is not the one that it was in).

        Raises TimeoutError or KafkaError while the broker is away.
        """
        partition = TopicPartition(ref.topic, ref.partition)
        async with self._turn, asyncio.timeout(self._timeout_s):
            first = (await self._client.beginning_offsets([partition]))[partition]
            end = (await self._client.end_offsets([partition]))[partition]
            if ref.offset >= end:
                end = await end_of(self._client, partition, first)
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
        return Record(raw.topic, raw.partition, raw.offset, raw.timestamp, raw.key, raw.value, raw.headers)
