"""Puts alarms onto their topic, keyed by camera, in the order in which they changed. At least once, like alerts."""

from pydantic import ValidationError

from andon.alarms import Alarm
from andon.errors import DecodeError, PoisonError, TooLargeError
from andon.wire import encode
from sinks.channels.kafka_topic import TopicWriter
from sinks.outbox_item import OutboxItem


class AlarmChannel:
    """The channel `alarms`."""

    def __init__(self, topic: TopicWriter) -> None:
        self._topic = topic

    async def send(self, item: OutboxItem) -> None:
        """Publish the alarm. One that the topic takes no record for can never leave: PoisonError."""
        try:
            await self._topic.write(item, encode(_alarm(item)))
        except TooLargeError as error:
            raise PoisonError("too_large", str(error)) from None


def _alarm(item: OutboxItem) -> Alarm:
    try:
        return Alarm.model_validate_json(item.payload)
    except ValidationError as error:
        count = error.error_count()
        raise DecodeError(f"outbox item {item.id}: no Alarm: {count} fields are wrong") from None
