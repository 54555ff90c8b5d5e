"""When a process reports that clocks differ."""

import asyncio
from contextlib import suppress

from andon.events import ClockSkew, ClockStepped, ClockUnset
from andon.stream.broker_clock import BrokerClock
from andon.stream.clock_watch import ClockWatch
from tests.fakes import START, FakeClock, RecordedEvents

YEARS_S = 365 * 86_400.0


class Rig:
    def __init__(self) -> None:
        self.machine = FakeClock()
        self.events = RecordedEvents()
        self.clock = BrokerClock(self.machine)
        self.watch = ClockWatch(self.clock, self.events)

    def look(self) -> list[tuple[str, int]]:
        """Measure, look, and return what is reported of offsets."""
        now_s = self.machine.monotonic()
        self.clock.acknowledged("broker 1", now_s, round((START.timestamp() + now_s) * 1000))
        self.events.all.clear()
        self.watch.look()
        return [(event.state, round(event.offset_s)) for event in self.events.of(ClockSkew)]


def test_an_offset_is_reported_once_and_when_it_changes_and_when_it_ends() -> None:
    rig = Rig()
    assert rig.look() == []
    rig.machine.step(5.0)
    assert [rig.look() for _ in range(3)] == [[("began", 5)], [], []]
    rig.machine.step(0.3)
    assert rig.look() == [], "a drift is no news"
    rig.machine.step(2.0)
    assert rig.look() == [("changed", 7)]
    rig.machine.step(-7.3)
    assert rig.look() == [("ended", 0)]
    assert rig.look() == []


def test_an_offset_below_half_a_second_is_not_reported() -> None:
    rig = Rig()
    rig.machine.step(0.45)
    assert rig.look() == []
    assert [round(value, 1) for _, value in rig.watch.readings()] == [0.4]


def test_a_step_of_the_hosts_clock_is_reported() -> None:
    rig = Rig()
    rig.machine.step(-3600.0)
    rig.look()
    assert [round(event.step_s) for event in rig.events.of(ClockStepped)] == [-3600]


async def test_a_host_that_has_lost_the_time_says_so_before_it_knows_a_broker() -> None:
    rig = Rig()
    rig.machine.step(-56 * YEARS_S)
    running = asyncio.create_task(rig.watch.run())
    await asyncio.sleep(0)
    running.cancel()
    with suppress(asyncio.CancelledError):
        await running
    assert [event.now[:4] for event in rig.events.of(ClockUnset)] == ["1970"]
