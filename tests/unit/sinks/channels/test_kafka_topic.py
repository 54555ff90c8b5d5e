"""An event that the Kafka client holds is not given to it again, however often the outbox tries."""

import asyncio
from collections.abc import Awaitable

import pytest

from andon.errors import FatalError, PoisonError, RetryableError, TooLargeError
from andon.messages import RecordRef
from andon.wire import Outgoing
from sinks.channels.channel import SinkBroken, SinkBusy
from sinks.channels.kafka_topic import KafkaAlerts
from tests.outbox import an_item

REF = RecordRef(topic="andon.defects", partition=0, offset=0)


class SlowPublisher:
    """Acknowledges a record when a test sets its answer."""

    def __init__(self) -> None:
        self.given: list[str] = []
        self.answers: list[asyncio.Future[RecordRef]] = []

    async def send(self, topic: str, record: Outgoing) -> Awaitable[RecordRef]:
        self.given.append(dict(record.headers)["ce_id"].decode())
        self.answers.append(asyncio.get_running_loop().create_future())
        return self.answers[-1]


async def test_an_event_under_way_is_waited_for_and_not_sent_again() -> None:
    publisher = SlowPublisher()
    channel = KafkaAlerts(publisher, "andon.defects", timeout_s=0.01)
    for _ in range(3):
        with pytest.raises(SinkBusy, match="no acknowledgement"):
            await channel.send(an_item(1))
    publisher.answers[0].set_result(REF)
    await channel.send(an_item(1))
    assert publisher.given == [an_item(1).event_id]


async def test_an_event_that_the_client_gave_up_is_sent_again() -> None:
    publisher = SlowPublisher()
    channel = KafkaAlerts(publisher, "andon.defects", timeout_s=0.01)
    with pytest.raises(SinkBusy):
        await channel.send(an_item(1))
    publisher.answers[0].set_exception(RetryableError("the broker is away"))
    with pytest.raises(SinkBusy, match="the broker is away"):
        await channel.send(an_item(1))
    with pytest.raises(SinkBusy):
        await channel.send(an_item(1))
    publisher.answers[1].set_result(REF)
    await channel.send(an_item(1))
    assert publisher.given == [an_item(1).event_id] * 2


async def test_an_alert_that_is_too_large_for_the_topic_is_given_up() -> None:
    publisher = SlowPublisher()
    channel = KafkaAlerts(publisher, "andon.defects", timeout_s=0.01)
    with pytest.raises(SinkBusy):
        await channel.send(an_item(1))
    publisher.answers[0].set_exception(TooLargeError("andon.defects: too large"))
    with pytest.raises(PoisonError, match="too large"):
        await channel.send(an_item(1))


async def test_a_missing_right_on_the_topic_keeps_the_alert_and_stops_no_other_channel() -> None:
    publisher = SlowPublisher()
    channel = KafkaAlerts(publisher, "andon.defects", timeout_s=0.01)
    with pytest.raises(SinkBusy):
        await channel.send(an_item(1))
    publisher.answers[0].set_exception(FatalError("andon.defects: give the user the ACL Write"))
    with pytest.raises(SinkBroken, match="the ACL Write"):
        await channel.send(an_item(1))


async def test_an_event_that_is_never_sent_again_is_forgotten() -> None:
    publisher = SlowPublisher()
    channel = KafkaAlerts(publisher, "andon.defects", timeout_s=0.01)
    for number in (1, 2, 3):
        with pytest.raises(SinkBusy):
            await channel.send(an_item(number))
        publisher.answers[-1].set_result(REF)
        await asyncio.sleep(0)  # let the answer arrive
    with pytest.raises(SinkBusy):
        await channel.send(an_item(4))
    assert len(channel.topic.under_way) == 1
