"""Alerts onto a Kafka topic, keyed by camera: for those who live on Kafka, and the record that lasts.

At least once: an attempt whose acknowledgement got lost is repeated, with the same header `ce_id` (the event's id), by
which a consumer recognises it.
"""

from aiokafka.errors import KafkaError

from andon.errors import RetryableError
from andon.kafka import Publisher
from andon.wire import encode
from sinks.alerts.payload import defect_of
from sinks.sink import OutboxItem, SinkBusy


class KafkaAlerts:
    """The channel `kafka`."""

    def __init__(self, publisher: Publisher, topic: str) -> None:
        self._publisher = publisher
        self._topic = topic

    @property
    def name(self) -> str:
        return "kafka"

    async def send(self, item: OutboxItem) -> None:
        """Publish the event and wait until the broker has acknowledged it."""
        record = encode(defect_of(item))
        try:
            await (await self._publisher.send(self._topic, record))
        except RetryableError as error:
            raise SinkBusy(f"kafka topic {self._topic}: {error}", 0.0) from None
        except (KafkaError, OSError) as error:
            raise SinkBusy(f"kafka topic {self._topic}: {_why(error)}", 0.0) from None


def _why(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
