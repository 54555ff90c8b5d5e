"""A stage stands still when records wait, or when the broker does not say that there are none."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from andon.events import silent
from andon.process.progress import Work
from andon.stream.duties import StageDuties
from andon.stream.offsets import Partition
from andon.stream.stage import Limits, Stage
from tests.fakes import FakeClock, MemoryConsumer, MemoryLog
from tests.unit.andon.stream.holding import Holding

LANE = Partition("t", 0)


class Bench:
    """A stage that takes at most two records at once."""

    def __init__(self) -> None:
        self.log = MemoryLog("t", 1)
        self.consumer = MemoryConsumer(self.log, "g")
        self.step = Holding()
        limits = Limits(2, 10**9, poll_ms=1)
        self.stage = Stage("workers", self.consumer, self.step, limits, FakeClock(), silent)
        self.duties = StageDuties(self.stage, self.consumer)

    async def turn(self) -> None:
        """Let the stage take what it has room for."""
        for _ in range(30):
            await asyncio.sleep(0)


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    bench = Bench()
    running = asyncio.create_task(bench.stage.run(["t"], asyncio.Event()), name="stage")
    await bench.turn()
    yield bench
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_an_idle_stage_has_no_work_but_the_brokers_answers(bench: Bench) -> None:
    assert bench.duties.records() == Work(0, waits=False)
    assert bench.duties.answers() == Work(1, waits=True)
    bench.consumer.answers_ms = 2
    assert bench.duties.answers() == Work(2, waits=True)


async def test_records_in_flight_and_behind_are_work_and_only_what_is_done_counts(bench: Bench) -> None:
    bench.log.append(0, b"1", b"2", b"3")
    await bench.turn()
    assert bench.duties.records() == Work(0, waits=True)
    assert not bench.duties.answers().waits
    bench.step.finish_first(2)
    assert bench.stage.in_flight == 0
    assert bench.duties.records() == Work(2, waits=True), "the third one is behind"
    await bench.turn()
    bench.step.finish_first(1)
    assert bench.duties.records() == Work(3, waits=False)


async def test_records_that_expired_unread_are_no_work(bench: Bench) -> None:
    bench.consumer.expired = 3
    bench.log.append(0, b"1", b"2", b"3")
    await bench.turn()
    assert not bench.duties.records().waits
    assert bench.duties.answers().waits


async def test_a_group_that_is_shared_out_anew_is_work_until_its_partitions_are_open(bench: Bench) -> None:
    await bench.stage.give_up(frozenset({LANE}))
    assert bench.duties.records().waits
    assert bench.duties.records().reason
    assert not bench.duties.answers().waits
    await bench.stage.take_over(frozenset({LANE}))
    assert bench.duties.records().waits
    await bench.turn()
    assert not bench.duties.records().waits


async def test_a_member_without_partitions_is_idle(bench: Bench) -> None:
    await bench.stage.give_up(frozenset({LANE}))
    await bench.stage.take_over(frozenset())
    await bench.turn()
    assert not bench.duties.records().waits
    assert not bench.duties.answers().waits
