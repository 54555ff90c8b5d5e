"""The stage's rules, over a consumer in memory that passes tests/conformance/test_consumer.py."""

import asyncio
from collections.abc import Callable, Mapping, Sequence

import pytest

from andon.errors import FatalError
from andon.events import CommitRefused, PartitionsAssigned, PartitionsRevoked, Paused, RecordsExpired, Retrying
from andon.stream.offsets import Partition
from andon.stream.stage import Limits, Stage
from andon.stream.step import NO_CUTS, Cut
from andon.wire import Record
from tests.fakes import FakeClock, MemoryConsumer, MemoryLog, RecordedEvents
from tests.unit.andon.stream.holding import Holding, HoldingPartition

TOPIC = "andon.frames"
LANE = Partition(TOPIC, 0)


class Rig:
    def __init__(self, partitions: int = 1, limit: int = 100, step: Holding | None = None) -> None:
        self.log = MemoryLog(TOPIC, partitions)
        self.consumer = MemoryConsumer(self.log, "group")
        self.step = step or Holding()
        self.events = RecordedEvents()
        self.clock = FakeClock()
        limits = Limits(limit, 10_000, poll_ms=1, commit_interval_s=0.001, rebalance_drain_s=0.01)
        self.stage = Stage("test", self.consumer, self.step, limits, self.clock, self.events)
        self.stop = asyncio.Event()

    async def run_until(self, reached: Callable[[], bool]) -> None:
        running = asyncio.create_task(self.stage.run([TOPIC], self.stop))
        try:
            async with asyncio.timeout(60):
                while not reached() and not running.done():
                    await asyncio.sleep(0)
        finally:
            self.stop.set()
            await running
        assert reached()


async def test_what_is_not_done_is_not_committed() -> None:
    rig = Rig()
    rig.log.append(0, *[b"x"] * 4)
    await rig.run_until(lambda: len(rig.step.held) == 4)
    assert rig.log.committed("group") == {LANE: 0}


async def test_a_commit_stops_before_the_first_record_in_flight() -> None:
    rig = Rig()
    rig.log.append(0, *[b"x"] * 4)
    running = asyncio.create_task(rig.run_until(lambda: rig.log.committed("group") == {Partition(TOPIC, 0): 2}))
    while len(rig.step.held) < 4:
        await asyncio.sleep(0)
    rig.step.finish(0, 1, 3)
    await running


async def test_a_full_stage_takes_no_more_until_something_is_done() -> None:
    rig = Rig(limit=3)
    rig.log.append(0, *[b"x"] * 10)
    running = asyncio.create_task(rig.run_until(lambda: len(rig.step.held) == 6))
    for _ in range(200):
        await asyncio.sleep(0)
    assert len(rig.step.held) == 3
    assert rig.stage.in_flight == 3
    rig.clock.advance(2.0)
    for delivery in list(rig.step.held):
        delivery.done()
    await running
    assert [event.seconds for event in rig.events.of(Paused)] == [2.0]


class RebalancingConsumer(MemoryConsumer):
    """Loses every partition but the first, once, while one is polled."""

    rebalanced = False

    async def poll(
        self, partitions: Sequence[Partition], *, timeout_ms: int = 0, max_records: int | None = None
    ) -> Mapping[Partition, Sequence[Record]]:
        taken = await super().poll(partitions, timeout_ms=timeout_ms, max_records=max_records)
        if taken and not self.rebalanced:
            self.rebalanced = True
            await self.rebalance(frozenset({LANE}))
        return taken


async def test_a_partition_that_is_taken_away_while_another_is_polled_is_not_polled() -> None:
    rig = Rig(partitions=3)
    rig.consumer = RebalancingConsumer(rig.log, "group")
    rig.stage = Stage("test", rig.consumer, rig.step, rig.stage.limits, rig.clock, rig.events)
    for partition in range(3):
        rig.log.append(partition, b"x")
    await rig.run_until(lambda: bool(rig.step.held))
    assert {delivery.record.partition for delivery in rig.step.held} == {0}


async def test_bytes_in_flight_are_bounded_too() -> None:
    rig = Rig(limit=100)
    for _ in range(6):
        rig.log.append(0, b"x" * 6_000)
    running = asyncio.create_task(rig.run_until(rig.stop.is_set))
    for _ in range(200):
        await asyncio.sleep(0)
    rig.stop.set()
    await running
    assert len(rig.step.held) == 2


async def test_no_partition_fills_the_stage_while_others_wait() -> None:
    rig = Rig(partitions=3, limit=6)
    rig.log.append(0, *[b"x"] * 50)
    rig.log.append(1, *[b"x"] * 50)
    rig.log.append(2, *[b"x"] * 50)
    running = asyncio.create_task(rig.run_until(rig.stop.is_set))
    for _ in range(300):
        await asyncio.sleep(0)
        for delivery in list(rig.step.held):
            rig.step.held.remove(delivery)
            delivery.done()
    rig.stop.set()
    await running
    committed = rig.log.committed("group")
    assert len(committed) == 3
    assert max(committed.values()) - min(committed.values()) <= 6


async def test_a_step_that_knows_better_decides_where_to_resume() -> None:
    rig = Rig(step=Holding({Partition(TOPIC, 0): 3}))
    rig.log.append(0, *[b"x"] * 5)
    await rig.run_until(lambda: [item.record.offset for item in rig.step.held] == [3, 4])


async def test_where_a_step_resumes_is_committed_even_if_nothing_follows() -> None:
    """Seen in the simulation: a sink killed after its last transaction and before its commit left a lag for ever."""
    rig = Rig(step=Holding({Partition(TOPIC, 0): 5}))
    rig.log.append(0, *[b"x"] * 5)
    await rig.run_until(lambda: rig.log.committed("group") == {Partition(TOPIC, 0): 5})


async def test_a_revoked_partition_is_drained_committed_and_forgotten() -> None:
    rig = Rig(partitions=2)
    rig.log.append(0, *[b"x"] * 3)
    running = asyncio.create_task(rig.run_until(rig.stop.is_set))
    while len(rig.step.held) < 3:
        await asyncio.sleep(0)
    rig.step.finish(0)
    await rig.consumer.rebalance(frozenset({Partition(TOPIC, 1)}))
    late = list(rig.step.held)
    for delivery in late:
        delivery.done()
    rig.stop.set()
    await running
    assert rig.log.committed("group") == {Partition(TOPIC, 0): 1, Partition(TOPIC, 1): 0}
    assert [event.abandoned for event in rig.events.of(PartitionsRevoked)] == [2]


async def test_the_refused_commit_of_a_zombie_is_reported() -> None:
    rig = Rig()
    rig.log.append(0, b"x")
    rig.consumer.zombie = True
    running = asyncio.create_task(rig.run_until(lambda: bool(rig.events.of(CommitRefused))))
    while not rig.step.held:
        await asyncio.sleep(0)
    rig.step.finish(0)
    await running
    assert rig.log.committed("group") == {}


class Opening(Holding):
    """A step whose `open` waits for the test."""

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[frozenset[Partition]] = []
        self.loaded = asyncio.Event()

    async def open(
        self, partitions: frozenset[Partition], cuts: Mapping[Partition, Cut] = NO_CUTS
    ) -> Mapping[Partition, HoldingPartition]:
        self.requests.append(partitions)
        await self.loaded.wait()
        return await super().open(partitions, cuts)


async def test_the_group_goes_on_while_a_step_loads_and_records_come_when_it_has_loaded() -> None:
    step = Opening()
    rig = Rig(step=step)
    rig.log.append(0, b"x")
    running = asyncio.create_task(rig.run_until(lambda: bool(step.held)))
    while not step.requests:
        await asyncio.sleep(0)
    await asyncio.wait_for(rig.consumer.rebalance(frozenset({LANE})), 60)
    assert (rig.stage.in_flight, rig.stage.joined.is_set()) == (0, False)
    step.loaded.set()
    await running
    assert rig.stage.joined.is_set()


async def test_a_partition_that_is_taken_away_while_it_loads_is_never_opened() -> None:
    step = Opening()
    rig = Rig(partitions=2, step=step)
    running = asyncio.create_task(rig.run_until(rig.stop.is_set))
    while not step.requests:
        await asyncio.sleep(0)
    other = frozenset({Partition(TOPIC, 1)})
    await rig.consumer.rebalance(other)
    step.loaded.set()
    while not rig.stage.joined.is_set():
        await asyncio.sleep(0)
    assert frozenset(rig.stage.lanes) == other
    assert [item.partition.partition for item in step.opened] == [1]
    rig.stop.set()
    await running


async def test_a_stage_that_stops_does_not_wait_for_a_step_that_loads() -> None:
    step = Opening()
    rig = Rig(step=step)
    await rig.run_until(lambda: bool(step.requests))
    assert step.opened == []


async def test_a_stage_that_stops_opens_nothing_that_the_group_still_assigns() -> None:
    rig = Rig()
    await rig.run_until(lambda: bool(rig.step.opened))
    await rig.consumer.rebalance(frozenset({LANE}))
    await asyncio.sleep(0)
    assert len(rig.step.opened) == 1
    assert rig.step.opened[0].discarded


async def test_what_was_loaded_is_discarded_if_the_partition_goes_before_it_opens() -> None:
    rig = Rig()
    rig.consumer.away = 1
    running = asyncio.create_task(rig.run_until(rig.stop.is_set))
    while not rig.events.of(Retrying):
        await asyncio.sleep(0)
    await rig.consumer.rebalance(frozenset())
    assert [item.discarded for item in rig.step.opened] == [True]
    rig.stop.set()
    await running


async def test_each_assignment_gets_a_fresh_object() -> None:
    rig = Rig()
    running = asyncio.create_task(rig.run_until(lambda: len(rig.events.of(PartitionsAssigned)) == 2))
    while not rig.step.opened:
        await asyncio.sleep(0)
    await rig.consumer.rebalance(frozenset({LANE}))
    await running
    first, second = rig.step.opened
    assert (first.drains, first.discarded, second.discarded) == (1, True, False)


async def test_stopping_drains_the_step_and_commits() -> None:
    class Finishing(Holding):
        async def drained(self) -> None:
            for delivery in self.held:
                delivery.done()

    rig = Rig(step=Finishing())
    rig.log.append(0, *[b"x"] * 4)
    await rig.run_until(lambda: bool(rig.step.held))
    assert rig.log.committed("group")[LANE] >= 1


async def test_a_drain_that_takes_too_long_is_cut_off_and_its_object_never_used_again() -> None:
    class Hanging(Holding):
        async def drained(self) -> None:
            if len(self.opened) == 1:
                await asyncio.Event().wait()

    rig = Rig(step=Hanging())
    rig.log.append(0, b"x")
    running = asyncio.create_task(rig.run_until(lambda: len(rig.step.opened) == 2))
    while not rig.step.held:
        await asyncio.sleep(0)
    await asyncio.wait_for(rig.consumer.rebalance(frozenset({LANE})), 60)
    assert rig.step.opened[0].discarded
    assert [event.abandoned for event in rig.events.of(PartitionsRevoked)] == [1]
    await running


async def test_an_error_in_giving_up_ends_the_stage_and_leaves_nothing_in_flight() -> None:
    class Failing(Holding):
        async def drained(self) -> None:
            raise FatalError("the store stands at another offset")

    rig = Rig(step=Failing())
    rig.log.append(0, b"x")
    running = asyncio.create_task(rig.stage.run([TOPIC], rig.stop))
    while not rig.step.held:
        await asyncio.sleep(0)
    await rig.consumer.rebalance(frozenset({LANE}))
    assert rig.stage.in_flight == 0
    with pytest.RaisesGroup(pytest.RaisesExc(FatalError, match="another offset")):
        await asyncio.wait_for(running, 60)


async def test_a_step_that_fails_to_take_over_ends_the_stage() -> None:
    class Failing(Holding):
        async def open(
            self, partitions: frozenset[Partition], cuts: Mapping[Partition, Cut] = NO_CUTS
        ) -> Mapping[Partition, HoldingPartition]:
            raise FatalError("the store is gone")

    rig = Rig(step=Failing())
    with pytest.raises(FatalError, match="the store is gone"):
        await asyncio.wait_for(rig.stage.run([TOPIC], rig.stop), 60)


async def test_a_hole_between_the_committed_offset_and_the_oldest_record_is_reported_and_handed_on() -> None:
    rig = Rig()
    rig.log.append(0, b"0", b"1", b"2", b"3", b"4")
    rig.log.committed("group")[LANE] = 1
    rig.consumer.expired = 3
    await rig.run_until(lambda: len(rig.step.held) == 2)
    first, second = rig.step.held
    assert (first.record.offset, first.expired, second.expired) == (3, range(1, 3), range(0))
    assert rig.events.of(RecordsExpired) == [RecordsExpired("test", TOPIC, 0, 1, 2)]


async def test_where_the_step_resumes_is_what_a_hole_is_reckoned_from() -> None:
    rig = Rig(step=Holding({LANE: 2}))
    rig.log.append(0, b"0", b"1", b"2")
    await rig.run_until(lambda: len(rig.step.held) == 1)
    assert rig.events.of(RecordsExpired) == []


async def test_a_new_group_begins_where_an_old_log_begins_and_misses_nothing() -> None:
    rig = Rig()
    rig.log.append(0, b"0", b"1", b"2", b"3")
    rig.consumer.expired = 3
    await rig.run_until(lambda: len(rig.step.held) == 1)
    assert rig.step.held[0].expired == range(0)
    assert rig.events.of(RecordsExpired) == []


async def test_a_group_that_joined_and_did_nothing_is_not_new_any_more() -> None:
    first, second = Rig(), Rig()
    second.log = first.log
    second.consumer._log = first.log
    first.log.append(0, b"0", b"1", b"2", b"3")
    await first.run_until(lambda: first.log.committed("group") == {LANE: 0})
    second.consumer.expired = 3
    await second.run_until(lambda: len(second.step.held) == 1)
    assert second.step.held[0].expired == range(3)
    assert second.events.of(RecordsExpired) == [RecordsExpired("test", TOPIC, 0, 0, 2)]


async def test_nothing_is_read_before_the_broker_says_where_to_begin() -> None:
    rig = Rig()
    rig.log.append(0, b"0", b"1")
    rig.consumer.expired = 1
    rig.consumer.away = 1
    await rig.run_until(lambda: len(rig.step.held) == 1)
    assert rig.events.of(RecordsExpired) == []
    assert [event.what for event in rig.events.of(Retrying)] == ["test offsets"]


async def test_in_a_backlog_each_partition_has_its_turn_whatever_the_clients_order() -> None:
    rig = Rig(partitions=6, limit=4)
    for partition in range(6):
        rig.log.append(partition, *[b"x"] * 200)
    done: list[int] = []

    def finish_the_oldest() -> bool:
        if rig.step.held:
            delivery = rig.step.held.pop(0)
            done.append(delivery.record.partition)
            delivery.done()
        return len(done) >= 60

    await rig.run_until(finish_the_oldest)
    assert min(done.count(partition) for partition in range(6)) >= 8
