"""A button on the alarms' topic: the sinks take its request, and publish what became of the alarm."""

import asyncio
import json
from datetime import UTC, datetime

import pytest

from andon.alarms import Alarm, AlarmRequest
from andon.events import silent
from andon.settings import KafkaSettings
from andon.stream.clients import consumer, producer, started
from andon.stream.consumer import record_of
from andon.stream.publisher import KafkaPublisher
from andon.wire import decode, encode
from tests.e2e.line import Line
from tests.e2e.test_sink_killed import inspection, publish

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]


async def press(kafka: KafkaSettings, request: AlarmRequest) -> None:
    async with started(lambda: producer(kafka), kafka, silent) as client:
        await (await KafkaPublisher(client).send(kafka.alarms_topic, encode(request)))


async def alarms(kafka: KafkaSettings, count: int) -> list[Alarm]:
    """The first `count` alarms on their topic."""
    found: dict[str, Alarm] = {}
    async with started(lambda: consumer(kafka, None), kafka, silent) as client, asyncio.timeout(100):
        client.subscribe([kafka.alarms_topic])
        while len(found) < count:
            for records in (await client.getmany(timeout_ms=100)).values():
                messages = [decode(record_of(raw)) for raw in records]
                found |= {item.event_id: item for item in messages if isinstance(item, Alarm)}
    return list(found.values())


def test_a_button_acknowledges_an_alarm_also_across_the_death_of_a_sink(line: Line, broker: KafkaSettings) -> None:
    line.write()
    line.start("sink", "sink")
    asyncio.run(publish(broker, [inspection(seq) for seq in range(30)]))
    (raised,) = asyncio.run(alarms(broker, 1))
    assert (raised.alarm_id, raised.state) == ("press-1/defect/scratch", "unacknowledged")
    line.kill("sink")
    request = AlarmRequest(
        request_id="button-1", camera_id="press-1", action="acknowledge", by="PLC 7", at=datetime.now(UTC)
    )
    asyncio.run(press(broker, request))
    line.start("sink", "sink")
    *_, last = asyncio.run(alarms(broker, 2))
    assert (last.change, last.state, last.by) == ("acknowledged", "acknowledged", "PLC 7")
    (listed,) = [json.loads(row) for row in line.run("alarms", "list", "--json").splitlines()]
    assert (listed["alarm_id"], listed["state"]) == (raised.alarm_id, "acknowledged")
    assert "Sent" in line.run("alarms", "shelve", "press-1", raised.alarm_id, "--minutes", "30", "--note", "knife")
    *_, shelved = asyncio.run(alarms(broker, 3))
    assert (shelved.state, shelved.note) == ("shelved", "knife")
    assert "shelved" in line.run("alarms", "list")
