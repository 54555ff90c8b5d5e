"""Alerts onto a Kafka topic, keyed by camera: for those who live on Kafka, and the record that lasts.

At least once: what was sent and not acknowledged before this process ended is sent again by the next, with the same
header `ce_id` (the event's id), by which a consumer recognises it.
"""

import asyncio
from collections.abc import Awaitable

from andon.errors import FatalError, PoisonError, RetryableError, TooLargeError
from andon.messages import RecordRef
from andon.stream.publisher import Publisher
from andon.wire import Outgoing, encode
from sinks.channels.channel import SinkBusy
from sinks.channels.payload import event_of
from sinks.outbox_item import OutboxItem


class KafkaAlerts:
    """The channel `kafka`."""

    def __init__(self, publisher: Publisher, topic: str, timeout_s: float = 10.0) -> None:
        self._publisher = publisher
        self._topic = topic
        self._timeout_s = timeout_s
        self.under_way: dict[str, asyncio.Task[RecordRef]] = {}
        """By event id: the client goes on trying by itself, so what it holds must not be given to it again."""

    @property
    def name(self) -> str:
        return "kafka"

    async def send(self, item: OutboxItem) -> None:
        """Publish the event and wait, for `timeout_s`, until the broker has acknowledged it.

        Raises PoisonError where the topic takes no record of its size: it can never leave by this channel.
        """
        acknowledged = self._handed_over(item.event_id, encode(event_of(item)))
        try:
            async with asyncio.timeout(self._timeout_s):
                await asyncio.shield(acknowledged)
        except TimeoutError:
            raise SinkBusy(f"kafka topic {self._topic}: no acknowledgement in {self._timeout_s:g} s", 0.0) from None
        except TooLargeError as error:
            raise PoisonError("too_large", str(error)) from None
        except (RetryableError, FatalError, OSError) as error:  # also a right that is missing: other channels go on
            self.under_way.pop(item.event_id, None)
            why = " ".join(str(error).split()) or type(error).__name__
            raise SinkBusy(f"kafka topic {self._topic}: {why}", 0.0) from None

    def _handed_over(self, event_id: str, record: Outgoing) -> Awaitable[RecordRef]:
        """The acknowledgement of this event, given to the client now or by an attempt before."""
        self.under_way = {key: task for key, task in self.under_way.items() if key == event_id or not task.done()}
        if event_id not in self.under_way:
            task = asyncio.create_task(self._publish(record), name=f"alert.{event_id}")
            task.add_done_callback(_look_at)
            self.under_way[event_id] = task
        return self.under_way[event_id]

    async def _publish(self, record: Outgoing) -> RecordRef:
        return await (await self._publisher.send(self._topic, record))


def _look_at(task: asyncio.Task[RecordRef]) -> None:
    """An attempt that fails when nobody waits for it any more is no news: its item is still in the outbox."""
    if not task.cancelled():
        task.exception()
