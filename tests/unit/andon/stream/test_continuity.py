"""A log that loses its end under its reader, on a consumer in memory that passes tests/conformance/test_consumer.py."""

import asyncio

import pytest

from andon.events import LogCut, Retrying
from andon.stream.offsets import Partition
from andon.stream.step import Cut
from tests.unit.andon.stream.test_stage import LANE, Rig

READ, LEFT = 10, 4
"""Records that were read, one a second, and those of them that the broker still has after the cut."""


class CutLog(Rig):
    """Reads READ records, all of them done."""

    async def read(self) -> asyncio.Task[None]:
        for number in range(READ):
            self.log.append(0, b"old", at_ms=number * 1000)
        running = asyncio.create_task(self.stage.run(["andon.frames"], self.stop))
        await self.until_held(READ)
        self.step.finish(*range(READ))
        return running

    def cut(self, new: int) -> None:
        """The broker loses the end, and gets `new` records a minute later, by another connection."""
        del self.log.records[LANE][LEFT:]
        self.log.append(0, *[b"new"] * new, at_ms=60_000)
        self.consumer.network = object()

    async def until_held(self, count: int) -> None:
        async with asyncio.timeout(60):
            while len(self.step.held) < count:
                await asyncio.sleep(0)

    async def end(self, running: asyncio.Task[None]) -> None:
        self.step.finish(*[item.record.offset for item in self.step.held])
        self.stop.set()
        await running

    @property
    def values(self) -> list[tuple[int, bytes | None]]:
        return [(item.record.offset, item.record.value) for item in self.step.held]


@pytest.mark.parametrize("new", [2, READ - LEFT, 20], ids=["shorter", "as long as before", "longer"])
async def test_every_record_after_the_cut_is_read_however_far_the_log_has_grown_meanwhile(new: int) -> None:
    rig = CutLog()
    running = await rig.read()
    rig.cut(new)
    if new == READ - LEFT:  # the end is where the reader is: the next record shows it
        rig.log.append(0, b"new", at_ms=61_000)
        new += 1
    await rig.until_held(new)
    assert rig.values == [(LEFT + number, b"new") for number in range(new)]
    assert rig.events.of(LogCut) == [LogCut("test", "andon.frames", 0, LEFT, READ - 1)]
    assert rig.step.cuts == {LANE: Cut(range(LEFT, READ), LEFT)}
    await rig.end(running)
    assert rig.log.committed("group") == {LANE: LEFT + new}


async def test_a_cut_is_noticed_although_the_new_connection_has_broken_again() -> None:
    rig = CutLog()
    running = await rig.read()
    rig.cut(20)
    rig.consumer.network = None
    await rig.until_held(20)
    assert rig.values == [(LEFT + number, b"new") for number in range(20)]
    await rig.end(running)


async def test_records_shortly_before_the_cut_are_read_again() -> None:
    """The clock of the broker that leads now may be behind the other's."""
    rig = CutLog()
    running = await rig.read()
    del rig.log.records[LANE][READ - 1 :]
    rig.log.append(0, b"new", at_ms=60_000)
    rig.consumer.network = object()
    rig.log.append(0, b"new")
    await rig.until_held(7)
    assert [offset for offset, _ in rig.values] == [*range(4, 11)]
    await rig.end(running)


async def test_a_rebalance_on_the_same_occasion_does_not_hide_the_cut() -> None:
    rig = CutLog()
    running = await rig.read()
    rig.log.committed("group").clear()
    rig.cut(20)
    await rig.consumer.rebalance(frozenset({LANE}))
    await rig.until_held(20)
    assert rig.values == [(LEFT + number, b"new") for number in range(20)]
    await rig.end(running)


async def test_what_another_member_has_read_meanwhile_is_not_checked_by_what_this_one_had_read() -> None:
    rig = CutLog()
    running = await rig.read()
    await rig.consumer.rebalance(frozenset())
    rig.cut(20)
    rig.log.committed("group")[LANE] = 24  # by the other member
    await rig.consumer.rebalance(frozenset({LANE}))
    rig.log.append(0, b"next")
    await rig.until_held(1)
    assert rig.values == [(24, b"next")]
    assert rig.events.of(LogCut) == []
    await rig.end(running)


async def test_a_new_connection_to_the_same_log_changes_nothing() -> None:
    rig = CutLog()
    running = await rig.read()
    rig.consumer.network = object()
    rig.log.append(0, b"next", at_ms=90_000)
    await rig.until_held(1)
    assert rig.values == [(READ, b"next")]
    assert rig.events.of(LogCut) == []
    assert len(rig.step.opened) == 1
    await rig.end(running)


async def test_while_the_broker_does_not_say_whether_the_log_is_the_same_nothing_is_taken() -> None:
    rig = CutLog()
    running = await rig.read()
    rig.consumer.away = 3
    rig.consumer.network = object()
    rig.log.append(0, b"next", at_ms=90_000)
    await rig.until_held(1)
    assert rig.values == [(READ, b"next")]
    assert len(rig.events.of(Retrying)) == 3
    await rig.end(running)


async def test_records_in_flight_are_finished_before_the_log_is_read_on() -> None:
    """Their pictures may be the last copy."""
    rig = CutLog()
    rig.log.append(0, b"old", at_ms=0)
    running = asyncio.create_task(rig.stage.run(["andon.frames"], rig.stop))
    await rig.until_held(1)
    rig.log.records[LANE].clear()
    rig.log.append(0, b"new", at_ms=60_000)
    rig.consumer.network = object()
    rig.log.append(0, b"new")
    while not rig.step.opened[0].drains:
        await asyncio.sleep(0)
    await rig.until_held(3)
    assert [item.record.value for item in rig.step.held] == [b"old", b"new", b"new"]
    assert rig.step.opened[0].discarded
    rig.stop.set()
    rig.step.held[0].done()  # too late: nothing happens
    await rig.end(running)


async def test_an_offset_that_the_log_has_not_reached_is_a_cut_and_the_log_is_read_from_its_beginning() -> None:
    rig = CutLog()
    rig.log.append(0, b"new", b"new", at_ms=60_000)
    rig.log.committed("group")[LANE] = 7  # by a member that is gone
    running = asyncio.create_task(rig.stage.run(["andon.frames"], rig.stop))
    await rig.until_held(2)
    assert rig.step.cuts == {Partition("andon.frames", 0): Cut(range(7), 0)}
    await rig.end(running)
