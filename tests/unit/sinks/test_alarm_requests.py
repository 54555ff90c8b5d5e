"""People's requests on their way to the cameras' log, and what the sinks ask for by themselves."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any, cast

from andon.alarms import Alarm, AlarmRequest
from andon.backoff import Backoff, Retrier
from andon.events import RecordQuarantined, Retrying
from andon.messages import Message
from andon.stream.broker_clock import BrokerClock
from andon.stream.offsets import Partition
from andon.stream.step import Delivery
from andon.wire import Record, decode, encode
from sinks.alarm_relay import AlarmRelay, RelayedPartition, RelayTopics
from sinks.alarm_watch import AlarmWatch
from sinks.insisting import InsistingPublisher
from tests.fakes import START, FakeClock, MemoryPublisher, RecordedEvents
from tests.unit.sinks.judgement.frames import DEFECT_RULES, crossing, inspected, shed
from tests.unit.sinks.judgement.test_alarms import Line, ask
from tests.versions import MESSAGES

TOPIC = Partition("andon.alarms", 0)


class SettledClock(FakeClock):
    settled = True


class Rig:
    def __init__(self) -> None:
        self.publisher = MemoryPublisher()
        self.events = RecordedEvents()
        self.tries = asyncio.Event()
        retrier = Retrier(self.events, Backoff(), self._paused)
        insisting = InsistingPublisher(self.publisher, retrier, "alarm requests")
        self.insisting = insisting
        self.relay = AlarmRelay(insisting, RelayTopics("inspections", "quarantine"), self.events)
        self.done: list[int] = []

    async def _paused(self, seconds: float) -> None:
        self.tries.set()
        await asyncio.sleep(0)

    async def opened(self) -> RelayedPartition:
        return (await self.relay.open(frozenset({TOPIC})))[TOPIC]

    def submit(self, partition: RelayedPartition, *records: Record) -> None:
        for record in records:
            partition.submit([Delivery(record, lambda offset=record.offset: self.done.append(offset))])  # type: ignore[misc]

    def sent(self, topic: str = "inspections") -> list[Message]:
        return [decode(record) for record in self.publisher.topics.get(topic, [])]


@asynccontextmanager
async def running(rig: Rig) -> AsyncIterator[RelayedPartition]:
    task = asyncio.create_task(rig.relay.run())
    try:
        yield await rig.opened()
    finally:
        task.cancel()


def record(message: Message, offset: int = 0, **changes: Any) -> Record:
    out = encode(message)
    fields = {"key": out.key, "value": out.value, "headers": out.headers} | changes
    return Record(TOPIC.topic, 0, offset, out.timestamp_ms, **fields)


async def test_a_request_is_handed_on_and_alarms_are_passed_over() -> None:
    rig, request = Rig(), ask("acknowledge", note="seen")
    async with running(rig) as partition:
        rig.submit(partition, record(MESSAGES["alarm"]), record(request, 1))
        await partition.drain()
    assert rig.sent() == [request]
    assert rig.done == [0, 1]


async def test_what_is_no_request_goes_to_quarantine() -> None:
    rig = Rig()
    unknown = [(name, value.replace(b".v1", b".v9")) for name, value in encode(ask("unshelve")).headers]
    strange = [
        record(ask("acknowledge"), 0, value=b"{"),
        record(ask("unshelve"), 1, headers=unknown),
        record(ask("check"), 2),
        record(shed(0, 1), 3),
    ]
    async with running(rig) as partition:
        rig.submit(partition, *strange)
        await partition.drain()
    assert not rig.sent()
    kept = rig.publisher.topics["quarantine"]
    assert [dict(item.headers)["andon_quarantine_offset"] for item in kept] == [b"0", b"1", b"2", b"3"]
    assert len(rig.events.of(RecordQuarantined)) == len(rig.done) == 4


async def test_a_request_waits_while_the_broker_is_away_and_is_not_done_before() -> None:
    rig = Rig()
    rig.publisher.away = True
    async with running(rig) as partition:
        rig.submit(partition, record(ask("acknowledge")))
        await rig.tries.wait()
        assert not rig.done
        rig.publisher.away = False
        await partition.drain()
    assert rig.done == [0]
    assert rig.events.of(Retrying)[0].what == "alarm requests"


async def test_a_partition_that_goes_hands_nothing_more_on() -> None:
    rig = Rig()
    partition = await rig.opened()
    rig.submit(partition, record(ask("acknowledge")), record(ask("unshelve"), 1))
    partition.discard()
    await partition.drain()
    task = asyncio.create_task(rig.relay.run())
    later = await rig.opened()
    rig.submit(later, record(ask("out_of_service"), 2))
    await later.drain()
    task.cancel()
    assert [cast(AlarmRequest, item).action for item in rig.sent()] == ["out_of_service"]
    assert rig.done == [2]


def watch(rig: Rig, line: Line, clock: FakeClock) -> AlarmWatch:
    known = cast(BrokerClock, clock)
    return AlarmWatch(lambda: [line.camera], DEFECT_RULES, rig.insisting, "inspections", known)


async def test_a_silent_camera_is_asked_for_once_until_the_log_brings_the_answer() -> None:
    rig, clock = Rig(), SettledClock()
    line = Line().take(inspected(0))
    looking = watch(rig, line, clock)
    await looking.look()
    assert not rig.sent()
    clock.advance(31)
    await looking.look()
    await looking.look()
    (check,) = rig.sent()
    assert isinstance(check, AlarmRequest)
    assert (check.action, check.camera_id, check.at) == ("check", "press-1", START + timedelta(seconds=31))
    clock.advance(30)
    await looking.look()
    assert len(rig.sent()) == 2, "perhaps the first was lost"
    line.take(*cast(list[AlarmRequest], rig.sent()))
    clock.advance(60)
    await looking.look()
    assert len(rig.sent()) == 2
    assert [event.label for event in line.events] == ["silent"]


async def test_nothing_is_asked_while_nobody_knows_the_time() -> None:
    rig, clock = Rig(), SettledClock()
    clock.settled = False
    clock.advance(100)
    await watch(rig, Line().take(inspected(0)), clock).look()
    assert not rig.sent()


async def test_standing_alarms_are_counted_by_state_and_severity() -> None:
    rig = Rig()
    looking = watch(rig, Line().take(*crossing(range(5))), SettledClock())
    await looking.look()
    counts = dict(looking.standing())
    assert counts["unacknowledged", "major"] == 1
    assert sum(counts.values()) == 1
    assert len(counts) == 15, "zero where there is none, so that a dashboard has a curve"


def test_an_alarm_is_what_needs_the_operator_until_somebody_acts() -> None:
    alarm = MESSAGES["alarm"]
    assert isinstance(alarm, Alarm)
    assert not alarm.needs_operator
    assert alarm.model_copy(update={"state": "returned"}).needs_operator
