"""Publishes records: `KafkaPublisher` wraps the client's producer and turns its errors into the line's own."""

import asyncio
from collections.abc import Awaitable, Generator
from dataclasses import dataclass
from typing import Any, Protocol

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, UnknownTopicOrPartitionError
from aiokafka.partitioner import DefaultPartitioner

from andon.errors import AndonError, RetryableError, TooLargeError
from andon.messages import RecordRef
from andon.stream.broker_clock import BrokerClock
from andon.stream.clients import BATCH_BYTES
from andon.stream.refusals import no_such_topic, refusal
from andon.wire import Outgoing

LOG_APPEND_TIME = 1
"""The client's timestamp_type of a record whose time the broker has set."""


class Publisher(Protocol):
    """Appends records to topics. Records of one camera are appended in the order in which they are sent.

    Both awaits of `send` may raise:
        RetryableError: the broker is away or busy. Send the record again, and every record that was sent after it.
        TooLargeError: the topic takes no record of this size. Send a smaller one in its place, or none; records that
            were sent after it may have failed with it, each with an error of its own.
        FatalError: the broker refuses every record for good: a right or the topic is missing. Let it end the process.
    """

    async def send(self, topic: str, record: Outgoing) -> Awaitable[RecordRef]:
        """Hand over a record. Blocks only while the client's buffer is full, at most `request_timeout_s`.

        The returned awaitable is done when the broker has acknowledged the record; it says where the record lies.
        While the broker is away it waits, without a limit.
        """
        ...


class KafkaPublisher:
    """A Publisher over an AIOKafkaProducer that the caller starts and stops. Event loop only."""

    def __init__(self, producer: AIOKafkaProducer, check_s: float = 20.0, clock: BrokerClock | None = None) -> None:
        """`check_s`: how often `watch` looks whether the topics still exist. `clock` learns the broker's time."""
        self._producer = producer
        self._check_s = check_s
        self._clock = clock
        self._topics: set[str] = set()
        """Every topic that a record was sent to."""
        self._narrow: set[str] = set()
        """Topics whose size limit is below a full batch: each of their records is sent in a batch of its own."""

    async def send(self, topic: str, record: Outgoing) -> Awaitable[RecordRef]:
        self._topics.add(topic)
        sent_s = self._clock.wall_s() if self._clock is not None else 0.0
        try:
            if topic in self._narrow:
                return _Acknowledgement(topic, await self._send_alone(topic, record), None)
            sent = await self._producer.send(
                topic, record.value, record.key, timestamp_ms=record.timestamp_ms, headers=list(record.headers)
            )
        except UnknownTopicOrPartitionError as error:
            raise await self._missing(topic) from error
        except KafkaError as error:
            raise refusal(topic, error) from error
        # the client puts a record above this size into a batch of its own
        alone = len(record.value) > BATCH_BYTES
        return _Acknowledgement(topic, sent, None if alone else self._narrow, self._clock, sent_s)

    async def watch(self) -> None:
        """Runs until it is cancelled. Raises FatalError when a topic that records were sent to no longer exists.

        Without it, records that are under way to a deleted topic wait for ever: the client retries them silently.
        """
        while True:
            await asyncio.sleep(self._check_s)
            for topic in sorted(self._topics):
                await self._require(topic)

    async def _require(self, topic: str) -> None:
        try:
            await self._producer.partitions_for(topic)
        except UnknownTopicOrPartitionError as error:
            missing = await self._missing(topic)
            if not isinstance(missing, RetryableError):
                raise missing from error
        except KafkaError as error:
            reason = refusal(topic, error)
            if not isinstance(reason, RetryableError):
                raise reason from error

    async def _send_alone(self, topic: str, record: Outgoing) -> asyncio.Future[Any]:
        batch = self._producer.create_batch()
        batch.append(timestamp=record.timestamp_ms, key=record.key, value=record.value, headers=list(record.headers))
        batch.close()
        partitions = list(await self._producer.partitions_for(topic))
        partition = DefaultPartitioner()(record.key, partitions, partitions)
        sent: asyncio.Future[Any] = await self._producer.send_batch(batch, topic, partition=partition)
        return sent

    async def _missing(self, topic: str) -> AndonError:
        """The client says "unknown topic" while the broker is away, too: only a fresh answer proves it."""
        client = self._producer.client
        if not await client.force_metadata_update():
            return RetryableError(f"{topic}: the broker has not taken a record: it does not answer")
        if client.cluster.partitions_for_topic(topic) is None:
            return no_such_topic(topic)
        return RetryableError(f"{topic}: the broker has not taken a record: the topic has just been made")


@dataclass(frozen=True, slots=True, eq=False)
class _Acknowledgement:
    """Not a coroutine: a coroutine costs a task when several are gathered, and warns when nobody awaits it."""

    topic: str
    sent: asyncio.Future[Any]
    narrow: set[str] | None
    """Where to note the topic if it is too narrow for whole batches. None: the record was in a batch of its own."""
    clock: BrokerClock | None = None
    sent_s: float = 0.0
    """By `clock`."""

    def __await__(self) -> Generator[Any, None, RecordRef]:
        try:
            metadata = yield from self.sent
        except KafkaError as error:
            raise self._reason(error) from error
        if self.clock is not None and metadata.timestamp_type == LOG_APPEND_TIME:
            self.clock.appended(self.sent_s, metadata.timestamp)
        return RecordRef(topic=metadata.topic, partition=metadata.partition, offset=metadata.offset)

    def _reason(self, error: KafkaError) -> AndonError:
        reason = refusal(self.topic, error)
        if self.narrow is None or not isinstance(reason, TooLargeError):
            return reason
        self.narrow.add(self.topic)
        return RetryableError(f"{self.topic}: takes no batch of this size; its records are sent one by one from now on")


def partition_of(key: bytes, partitions: int) -> int:
    """The partition that gets the records of `key`, by the hash that every Kafka client uses."""
    numbers = list(range(partitions))
    return int(DefaultPartitioner()(key, numbers, numbers))
