"""Puts alerts onto a Kafka topic, keyed by camera: for consumers that live on Kafka, and as the record that lasts.

At least once: an event that was sent and not acknowledged before this process ended is sent again by the next one. It
has the same header `ce_id` (the event's id) then, by which a consumer recognises it.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from andon.errors import FatalError, PoisonError, RetryableError, TooLargeError
from andon.messages import RecordRef
from andon.settings import KafkaChannelSettings
from andon.stream.publisher import Publisher
from andon.wire import Outgoing, encode
from sinks.channels.channel import Channel, SinkBroken, SinkBusy
from sinks.channels.payload import event_of
from sinks.channels.registry import ChannelContext, ChannelType
from sinks.outbox_item import OutboxItem


class TopicWriter:
    """Publishes items of the outbox to one topic, each as one record, and waits for the broker."""

    def __init__(self, publisher: Publisher, topic: str, timeout_s: float = 10.0) -> None:
        self._publisher = publisher
        self._topic = topic
        self._timeout_s = timeout_s
        self.under_way: dict[int, tuple[str, asyncio.Task[RecordRef]]] = {}
        """The event of each partition that the client holds. The client goes on trying by itself, so an event that it
        holds must not be given to it again."""

    async def write(self, item: OutboxItem, record: Outgoing) -> None:
        """Publish the record of `item` and wait, for `timeout_s`, until the broker has acknowledged it.

        Raises SinkBusy, SinkBroken, or TooLargeError where the topic takes no record of this size.
        """
        acknowledged = self._handed_over(item, record)
        try:
            async with asyncio.timeout(self._timeout_s):
                await asyncio.shield(acknowledged)
        except TimeoutError:
            raise SinkBusy(f"kafka topic {self._topic}: no acknowledgement in {self._timeout_s:g} s", 0.0) from None
        except FatalError as error:  # for example a missing right: the other channels go on
            raise SinkBroken(f"kafka topic {error}") from None
        except (RetryableError, OSError) as error:
            why = " ".join(str(error).split()) or type(error).__name__
            raise SinkBusy(f"kafka topic {self._topic}: {why}", 0.0) from None

    def _handed_over(self, item: OutboxItem, record: Outgoing) -> asyncio.Task[RecordRef]:
        """The acknowledgement of this event, which this attempt or one before has given to the client."""
        event_id, task = self.under_way.get(item.partition, ("", None))
        if task is None or event_id != item.event_id or _failed(task):
            task = asyncio.create_task(self._publish(record), name=f"topic.{item.event_id}")
            task.add_done_callback(_failed)
            self.under_way[item.partition] = (item.event_id, task)
        return task

    async def _publish(self, record: Outgoing) -> RecordRef:
        return await (await self._publisher.send(self._topic, record))


def _failed(task: asyncio.Task[RecordRef]) -> bool:
    """Also marks the error as seen: where nobody waits for the attempt any more, its item is still in the outbox."""
    return task.done() and (task.cancelled() or task.exception() is not None)


class KafkaAlerts:
    """A Channel of type `kafka`."""

    def __init__(self, publisher: Publisher, topic: str, timeout_s: float = 10.0) -> None:
        self.topic = TopicWriter(publisher, topic, timeout_s)

    async def send(self, item: OutboxItem) -> None:
        """Publish the event. One that the topic takes no record for can never leave: PoisonError."""
        try:
            await self.topic.write(item, encode(event_of(item).traced(item.traceparent)))
        except TooLargeError as error:
            raise PoisonError("too_large", str(error)) from None


@asynccontextmanager
async def _opened(settings: KafkaChannelSettings, context: ChannelContext) -> AsyncIterator[Channel]:
    yield KafkaAlerts(context.publisher, context.line.kafka.defects_topic)


TYPE = ChannelType(KafkaChannelSettings, _opened)
