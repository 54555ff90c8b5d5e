"""Publishes records: `KafkaPublisher` wraps the client's producer, and its errors become the line's own."""

import asyncio
from collections.abc import Awaitable, Generator
from dataclasses import dataclass
from typing import Any, Protocol

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from andon.errors import RetryableError
from andon.messages import RecordRef
from andon.wire import Outgoing


class Publisher(Protocol):
    """Where messages go. Records of one camera are appended in the order in which they were sent."""

    async def send(self, topic: str, record: Outgoing) -> Awaitable[RecordRef]:
        """Hand over a record; waits only while the client's buffer is full.

        Returns what is done when the broker has acknowledged it, and where it lies; while the broker is away that
        waits, however long. Raises RetryableError: from the first await where there was no room for the record within
        `request_timeout_s`, from the second where the broker refuses it.
        """
        ...


class KafkaPublisher:
    """A Publisher over an AIOKafkaProducer that somebody else starts and stops."""

    def __init__(self, producer: AIOKafkaProducer) -> None:
        self._producer = producer

    async def send(self, topic: str, record: Outgoing) -> Awaitable[RecordRef]:
        try:
            sent = await self._producer.send(
                topic, record.value, record.key, timestamp_ms=record.timestamp_ms, headers=list(record.headers)
            )
        except KafkaError as error:
            raise _not_taken(topic, error) from error
        return _Acknowledged(topic, sent)


@dataclass(frozen=True, slots=True, eq=False)
class _Acknowledged:
    """No coroutine: it costs a task where several are gathered, and complains where nobody awaits it."""

    topic: str
    sent: asyncio.Future[Any]

    def __await__(self) -> Generator[Any, None, RecordRef]:
        try:
            metadata = yield from self.sent
        except KafkaError as error:
            raise _not_taken(self.topic, error) from error
        return RecordRef(topic=metadata.topic, partition=metadata.partition, offset=metadata.offset)


def _not_taken(topic: str, error: KafkaError) -> RetryableError:
    return RetryableError(f"{topic}: the broker has not taken a record: {str(error) or type(error).__name__}")
