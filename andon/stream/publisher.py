"""Publishes records: `KafkaPublisher` wraps the client's producer and turns its errors into the line's own."""

import asyncio
from collections.abc import Awaitable, Generator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, ProducerClosed, UnknownTopicOrPartitionError
from aiokafka.partitioner import DefaultPartitioner

from andon.errors import AndonError, FatalError, RetryableError, TooLargeError
from andon.events import Emit, LogCut, Retrying
from andon.messages import RecordRef
from andon.stream.append_times import LOG_APPEND_TIME, leader
from andon.stream.broker_clock import BrokerClock
from andon.stream.offsets import Partition
from andon.stream.producer import Producer, ProducerReplacedError
from andon.stream.refusals import no_such_topic, refusal
from andon.stream.size_limits import SizeLimits, batch_bytes
from andon.wire import Outgoing

FORGET_S = 60.0
"""How long a topic's size limit counts: somebody may raise it. Then the next record that is too large costs a new
producer again."""


class Publisher(Protocol):
    """Appends records to topics. Records of one camera are appended in the order in which they are sent.

    Both awaits of `send` may raise:
        RetryableError: the broker is away or busy, or refuses now what it took before: a right that was withdrawn, a
            topic that was deleted. Send the record again, and every record that was sent after it.
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
    """A Publisher over a Producer that the caller starts and stops. Event loop only."""

    def __init__(
        self,
        producer: Producer,
        check_s: float = 20.0,
        clock: BrokerClock | None = None,
        limits: Mapping[str, int] | None = None,
    ) -> None:
        """`check_s`: how often `watch` looks whether the topics still exist. `clock` learns the broker's time.

        `limits`: the bytes of the largest record of each topic, as far as they are known.
        """
        self._producer = producer
        self._check_s = check_s
        self._clock = clock
        self._topics: set[str] = set()
        """Every topic that a record was sent to."""
        self._took: set[str] = set()
        """Those that have taken a record: what they refuse now may pass."""
        self._sizes = SizeLimits()
        self._sizes.read(limits or {})
        self._ends = _Ends(producer.emit)
        self.trouble = ""
        """Why the broker took no record at the last attempt, in one line. Empty: it took the last one."""

    async def send(self, topic: str, record: Outgoing) -> Awaitable[RecordRef]:
        self._topics.add(topic)
        size_bytes = batch_bytes(record)
        self._sizes.check(topic, size_bytes)
        client = await self._producer.usable()
        sent_s = self._clock.monotonic() if self._clock is not None else 0.0
        flight = _Flight(topic, client, size_bytes, self._sizes.narrow(topic), sent_s)
        try:
            if flight.alone:
                sent = await _send_alone(client, topic, record)
            else:
                value, headers = record.value or None, list(record.headers)
                sent = await client.send(topic, value, record.key, timestamp_ms=record.timestamp_ms, headers=headers)
        except UnknownTopicOrPartitionError as error:
            raise self._if_it_passes(topic, await self._missing(client, topic)) from error
        except KafkaError as error:
            raise self.refused(flight, error, batch=False) from error
        sent.add_done_callback(self._ends.acknowledged)
        return _Acknowledgement(self, flight, sent)

    def refused(self, flight: "_Flight", error: KafkaError, *, batch: bool) -> AndonError:
        """What the client's error means for the record. `batch`: it came from the broker, for the record's batch."""
        reason = refusal(flight.topic, error)
        if isinstance(error, ProducerReplacedError | ProducerClosed):
            return reason
        if batch and isinstance(reason, TooLargeError):
            reason = self._sizes.refused(flight.topic, flight.size_bytes, alone=flight.alone)
        if batch or isinstance(reason, FatalError):
            self._producer.spoilt(flight.client, str(reason))
        return self._if_it_passes(flight.topic, reason)

    def acknowledged(self, flight: "_Flight", metadata: Any) -> RecordRef:
        """The broker has the record. Raises RetryableError where it does not say at which offset."""
        self._took.add(flight.topic)
        self.trouble = ""
        if metadata.offset < 0:  # it had the record already, and has forgotten where
            raise RetryableError(f"{flight.topic}: the broker does not say where the record is")
        self._compare_clocks(flight, metadata)
        return RecordRef(topic=metadata.topic, partition=metadata.partition, offset=metadata.offset)

    def _compare_clocks(self, flight: "_Flight", metadata: Any) -> None:
        if self._clock is None:
            return
        if metadata.timestamp_type == LOG_APPEND_TIME:
            broker = leader(flight.client.client, metadata.topic_partition)
            self._clock.acknowledged(broker, flight.sent_s, metadata.timestamp)
        else:
            self._clock.unstamped()

    async def watch(self) -> None:
        """Runs until it is cancelled. Says which topics no longer exist, and forgets limits that may have been raised.

        Without it, nothing is said of records that are under way to a deleted topic: the client retries them silently.
        Raises FatalError for a topic that never took a record.
        """
        now_s = asyncio.get_running_loop().time
        forgotten_s = now_s()
        while True:
            await asyncio.sleep(self._check_s)
            if now_s() - forgotten_s > FORGET_S:
                forgotten_s = now_s()
                self._sizes.forget()
            for topic in sorted(self._topics):
                try:
                    await self._require(topic)
                except RetryableError as error:
                    self._producer.emit(Retrying(f"publish to {topic}", str(error), 1, self._check_s))

    async def _require(self, topic: str) -> None:
        client = await self._producer.usable()
        try:
            await client.partitions_for(topic)
        except UnknownTopicOrPartitionError as error:
            raise self._if_it_passes(topic, await self._missing(client, topic)) from error
        except KafkaError as error:
            raise self._if_it_passes(topic, refusal(topic, error)) from error

    def _if_it_passes(self, topic: str, reason: AndonError) -> AndonError:
        """What a topic refuses that took records before, it may take again: somebody gives the right back, or makes the
        topic again. Until then the records wait with those who send them."""
        self.trouble = str(reason)
        if isinstance(reason, FatalError) and topic in self._took:
            return RetryableError(str(reason))
        return reason

    async def _missing(self, client: AIOKafkaProducer, topic: str) -> AndonError:
        """The client says "unknown topic" while the broker is away, too: only a fresh answer proves it."""
        if not await client.client.force_metadata_update():
            return RetryableError(f"{topic}: the broker has not taken a record: it does not answer")
        if client.client.cluster.partitions_for_topic(topic) is None:
            return no_such_topic(topic)
        return RetryableError(f"{topic}: the broker has not taken a record: the topic has just been made")


class _Ends:
    """The last offset of each partition that was acknowledged: the next one must be above it."""

    def __init__(self, emit: Emit) -> None:
        self._emit = emit
        self._last: dict[Partition, int] = {}

    def acknowledged(self, sent: asyncio.Future[Any]) -> None:
        """Called in the order in which the broker has answered, whoever awaits the answers and when."""
        if sent.cancelled() or sent.exception() is not None or sent.result().offset < 0:
            return
        metadata = sent.result()
        partition = Partition(metadata.topic, metadata.partition)
        last = self._last.get(partition, -1)
        if metadata.offset <= last:
            self._emit(LogCut("producer", *partition, metadata.offset, last))
        self._last[partition] = metadata.offset


@dataclass(frozen=True, slots=True)
class _Flight:
    """A record under way."""

    topic: str
    client: AIOKafkaProducer
    size_bytes: int
    alone: bool
    """It was sent in a batch of its own."""
    sent_s: float
    """On the monotonic clock."""


@dataclass(frozen=True, slots=True, eq=False)
class _Acknowledgement:
    """Not a coroutine: a coroutine costs a task when several are gathered, and warns when nobody awaits it."""

    publisher: KafkaPublisher
    flight: _Flight
    sent: asyncio.Future[Any]

    def __await__(self) -> Generator[Any, None, RecordRef]:
        try:
            metadata = yield from self.sent
        except KafkaError as error:
            raise self.publisher.refused(self.flight, error, batch=True) from error
        return self.publisher.acknowledged(self.flight, metadata)


async def _send_alone(client: AIOKafkaProducer, topic: str, record: Outgoing) -> asyncio.Future[Any]:
    batch = client.create_batch()
    batch.append(
        timestamp=record.timestamp_ms, key=record.key, value=record.value or None, headers=list(record.headers)
    )
    batch.close()
    partitions = list(await client.partitions_for(topic))
    partition = DefaultPartitioner()(record.key, partitions, partitions)
    sent: asyncio.Future[Any] = await client.send_batch(batch, topic, partition=partition)
    return sent


def partition_of(key: bytes, partitions: int) -> int:
    """The partition that gets the records of `key`, by the hash that every Kafka client uses."""
    numbers = list(range(partitions))
    return int(DefaultPartitioner()(key, numbers, numbers))
