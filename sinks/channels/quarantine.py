"""Puts records of the inspections topic that cannot be read onto the quarantine topic.

The outbox carries such a record in the transaction that accounts for its offset, so it is never dropped: a crash before
the broker has it sends it again. A consumer recognises a repetition by the headers, which name topic and offset.
"""

from pydantic import ValidationError

from andon.errors import DecodeError, PoisonError, TooLargeError
from andon.quarantine import without_value
from andon.wire import Outgoing
from sinks.channels.kafka_topic import TopicWriter
from sinks.outbox_item import OutboxItem
from sinks.quarantine_order import QuarantineOrder


class QuarantineChannel:
    """The channel `quarantine`."""

    def __init__(self, topic: TopicWriter) -> None:
        self._topic = topic

    async def send(self, item: OutboxItem) -> None:
        """Publish the record; without its value, if the topic takes no record of this size."""
        record = _record(item)
        try:
            await self._topic.write(item, record)
        except TooLargeError:
            try:
                await self._topic.write(item, without_value(record))
            except TooLargeError as error:
                raise PoisonError("too_large", str(error)) from None


def _record(item: OutboxItem) -> Outgoing:
    try:
        order = QuarantineOrder.model_validate_json(item.payload)
    except ValidationError as error:
        count = error.error_count()
        raise DecodeError(f"outbox item {item.id}: no QuarantineOrder: {count} fields are wrong") from None
    return Outgoing(order.key, order.value, order.headers, order.timestamp_ms)
