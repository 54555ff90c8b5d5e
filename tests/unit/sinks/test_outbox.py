"""Items leave in order, whatever is away; none is lost, and none blocks others for ever."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from andon.backoff import Backoff
from andon.events import AlertSent, OutboxGivenUp, SinkFailed, SinkRefused
from andon.process.progress import Work
from sinks.channels.channel import Channel, SinkBroken, SinkBusy
from sinks.outbox import SWITCHED_OFF_S, Dispatcher
from sinks.outbox_item import OutboxItem
from sinks.outbox_queue import DispatchLimits, NamedChannel
from tests.fakes import START, FakeClock, RecordedEvents, until_idle
from tests.outbox import MemoryChannel, MemoryOutbox, a_defect, an_item

ALL = frozenset(range(8))


class Pauses:
    """A pause that takes no time. It remembers the delay, then calls `then` with the number of pauses."""

    def __init__(self, then: Callable[[int], None] = lambda count: None) -> None:
        self.delays_s: list[float] = []
        self._then = then

    async def __call__(self, delay_s: float) -> None:
        self.delays_s.append(delay_s)
        self._then(len(self.delays_s))
        await asyncio.sleep(0)


async def forever(delay_s: float) -> None:
    await asyncio.Event().wait()


def a_dispatcher(
    store: MemoryOutbox,
    *channels: Channel | NamedChannel,
    pause: Callable[[float], Awaitable[object]] = forever,
    events: RecordedEvents | None = None,
    clock: FakeClock | None = None,
) -> Dispatcher:
    """With a channel `memory`, or with these channels."""
    limits = DispatchLimits(read_items=3, backoff=Backoff(1.0, 8.0, draw=lambda: 1.0), pause=pause)
    named = [item if isinstance(item, NamedChannel) else NamedChannel("memory", item) for item in channels]
    dispatcher = Dispatcher(store, named, clock or FakeClock(), events or RecordedEvents(), limits)
    dispatcher.own(ALL)
    return dispatcher


async def drained(dispatcher: Dispatcher) -> None:
    stop = asyncio.Event()
    stop.set()
    async with asyncio.timeout(60):
        await dispatcher.run(stop)


async def cut_off(dispatcher: Dispatcher) -> None:
    """End it as the drain deadline does, when it has done what it can."""
    draining = asyncio.create_task(drained(dispatcher))
    await until_idle()
    assert not draining.done()
    draining.cancel()
    await asyncio.wait({draining})


class ScriptedChannel(MemoryChannel):
    """A channel that first acts by a script, one action for each call."""

    def __init__(self, *script: Callable[[], None]) -> None:
        super().__init__()
        self._script = list(script)
        self.calls: list[int] = []

    async def send(self, item: OutboxItem) -> None:
        self.calls.append(item.id)
        if self._script:
            self._script.pop(0)()
        await super().send(item)


def raises(error: BaseException) -> Callable[[], None]:
    def act() -> None:
        raise error

    return act


def fine() -> None:
    pass


async def test_what_waits_for_a_channel_that_is_down_is_work_that_does_not_get_done() -> None:
    store, channel = MemoryOutbox(an_item(1), an_item(2)), ScriptedChannel(raises(SinkBusy("away", 1.0)))
    goes_on = asyncio.Event()

    async def pause(delay_s: float) -> None:
        await goes_on.wait()

    dispatcher = a_dispatcher(store, channel, pause=pause)
    ((name, look),) = dispatcher.work
    assert (name, look()) == ("memory", Work(0, waits=False))
    running = asyncio.create_task(dispatcher.run(asyncio.Event()))
    await until_idle()
    assert look() == Work(0, waits=True)
    goes_on.set()
    await until_idle()
    assert look().done == 2
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_items_leave_in_order_and_are_marked_as_sent() -> None:
    items = [an_item(number) for number in range(1, 9)]
    store, channel = MemoryOutbox(*reversed(items)), MemoryChannel()
    await drained(a_dispatcher(store, channel))
    assert channel.received == [item.event_id for item in items]
    assert store.items == []


async def test_the_event_of_a_sent_alert_has_the_time_since_its_frame() -> None:
    events, clock = RecordedEvents(), FakeClock()
    clock.advance(0.4)
    await drained(a_dispatcher(MemoryOutbox(an_item(1)), MemoryChannel(), events=events, clock=clock))
    assert events.of(AlertSent) == [AlertSent("memory", an_item(1).event_id, 0.4)]


async def test_a_busy_channel_is_tried_again_with_the_same_item_after_growing_bounded_pauses() -> None:
    pauses, events = Pauses(), RecordedEvents()
    channel = ScriptedChannel(fine, *[raises(SinkBusy("away", 0.0))] * 5)
    store = MemoryOutbox(an_item(1), an_item(2), an_item(3))
    await drained(a_dispatcher(store, channel, pause=pauses, events=events))
    assert channel.calls == [1, 2, 2, 2, 2, 2, 2, 3]
    assert pauses.delays_s == [1.0, 2.0, 4.0, 8.0, 8.0]
    assert [event.retry_after_s for event in events.of(SinkFailed)] == pauses.delays_s
    assert store.items == []


async def test_a_channel_that_names_its_pause_gets_it() -> None:
    pauses = Pauses()
    await drained(a_dispatcher(MemoryOutbox(an_item(1)), ScriptedChannel(raises(SinkBusy("full", 5.0))), pause=pauses))
    assert pauses.delays_s == [5.0]


async def test_the_pauses_begin_anew_after_a_success() -> None:
    pauses, away = Pauses(), raises(SinkBusy("away", 0.0))
    store = MemoryOutbox(an_item(1), an_item(2))
    await drained(a_dispatcher(store, ScriptedChannel(away, away, fine, away), pause=pauses))
    assert pauses.delays_s == [1.0, 2.0, 1.0]


async def test_one_channel_that_is_down_delays_no_other() -> None:
    down, up = MemoryChannel(), MemoryChannel()
    down.away = True
    items = [an_item(1, "down"), an_item(2, "up"), an_item(3, "up")]
    store = MemoryOutbox(*items)
    await cut_off(a_dispatcher(store, NamedChannel("down", down), NamedChannel("up", up)))
    assert up.received == [items[1].event_id, items[2].event_id]
    assert [item.id for item in store.items] == [1]


async def test_poison_is_given_up_with_an_event_and_blocks_no_other_item() -> None:
    events, channel = RecordedEvents(), MemoryChannel()
    poison = OutboxItem(1, "memory", 0, "bad", b"{not a defect", an_item(1).created_at, 0)
    store = MemoryOutbox(poison, an_item(2))
    await drained(a_dispatcher(store, channel, events=events))
    assert channel.received == [an_item(2).event_id]
    assert store.items == []
    assert [event.event_id for event in events.of(OutboxGivenUp)] == ["bad"]


async def test_an_unforeseen_error_is_tried_again_and_its_item_given_up_at_last() -> None:
    events, channel = RecordedEvents(), ScriptedChannel(*[raises(ZeroDivisionError("a bug"))] * 10)
    store = MemoryOutbox(an_item(1), an_item(2))
    await drained(a_dispatcher(store, channel, pause=Pauses(), events=events))
    assert channel.calls == [1] * 10 + [2]
    assert [event.error for event in events.of(OutboxGivenUp)] == ["ZeroDivisionError: a bug"]


async def test_a_channel_that_never_answers_is_timed_out_and_tried_again() -> None:
    class Silent(MemoryChannel):
        silent = True

        async def send(self, item: OutboxItem) -> None:
            if self.silent:
                await asyncio.Event().wait()
            await super().send(item)

    channel, events = Silent(), RecordedEvents()

    def answer(_: int) -> None:
        channel.silent = False

    limits = DispatchLimits(send_timeout_s=0.0, pause=Pauses(answer))
    dispatcher = Dispatcher(MemoryOutbox(an_item(1)), [NamedChannel("memory", channel)], FakeClock(), events, limits)
    dispatcher.own(ALL)
    await drained(dispatcher)
    assert channel.received == [an_item(1).event_id]
    assert "no acknowledgement" in events.of(SinkFailed)[0].error


async def test_items_of_partitions_that_others_own_stay() -> None:
    store, channel = MemoryOutbox(an_item(1, partition=3), an_item(2, partition=4)), MemoryChannel()
    dispatcher = a_dispatcher(store, channel)
    dispatcher.own(frozenset({4}))
    await drained(dispatcher)
    assert channel.received == [an_item(2).event_id]
    assert [item.id for item in store.items] == [1]


async def test_a_partition_that_moves_between_two_items_is_left_to_its_new_owner() -> None:
    store = MemoryOutbox(an_item(1, partition=3), an_item(2, partition=3))
    channel = ScriptedChannel(lambda: dispatcher.own(frozenset()))
    dispatcher = a_dispatcher(store, channel)
    await drained(dispatcher)
    assert channel.calls == [1]
    assert [item.id for item in store.items] == [2]


async def test_a_partition_that_goes_and_comes_back_leaves_in_order() -> None:
    """The simulation showed: the next item must not overtake one that was passed over while its partition was away."""
    store = MemoryOutbox(
        an_item(1, partition=4), an_item(2, partition=3), an_item(3, partition=4), an_item(4, partition=3)
    )
    only_4, both = frozenset({4}), frozenset({3, 4})
    channel = ScriptedChannel(lambda: dispatcher.own(only_4), lambda: dispatcher.own(both))
    dispatcher = a_dispatcher(store, channel)
    dispatcher.own(both)
    await drained(dispatcher)
    assert [call for call in channel.calls if call in (2, 4)] == [2, 4]
    assert sorted(channel.calls) == [1, 2, 3, 4]


async def test_new_items_leave_as_soon_as_the_dispatcher_is_woken() -> None:
    arrived = asyncio.Event()
    store, channel, stop = MemoryOutbox(), ScriptedChannel(arrived.set), asyncio.Event()
    dispatcher = a_dispatcher(store, channel)
    running = asyncio.create_task(dispatcher.run(stop))
    await asyncio.sleep(0)  # let it find nothing
    store.items.append(an_item(1))
    dispatcher.wake()
    async with asyncio.timeout(60):
        await arrived.wait()
        stop.set()
        await running
    assert store.items == []


class ReadOutbox(MemoryOutbox):
    """Knows for which channels it was read."""

    def __init__(self) -> None:
        super().__init__()
        self.reads: list[str] = []

    async def waiting(self, channel: str, partitions: frozenset[int], limit: int) -> Sequence[OutboxItem]:
        self.reads.append(channel)
        return await super().waiting(channel, partitions, limit)


async def test_new_items_have_only_their_own_channels_read_the_store() -> None:
    store, channel, stop = ReadOutbox(), ScriptedChannel(), asyncio.Event()
    dispatcher = a_dispatcher(store, channel, NamedChannel("other", MemoryChannel()))
    running = asyncio.create_task(dispatcher.run(stop))
    await until_idle()
    assert set(store.reads) == {"memory", "other"}, "whatever a former owner has left"
    store.reads.clear()
    store.items.append(an_item(1))
    dispatcher.wake({"memory"})
    await until_idle()
    assert (channel.calls, set(store.reads)) == ([1], {"memory"})
    async with asyncio.timeout(5):
        stop.set()
        await running


async def test_a_store_that_can_not_mark_does_not_make_an_item_leave_twice() -> None:
    channel, store = ScriptedChannel(), MemoryOutbox(an_item(1), an_item(2))
    store.busy = 3
    await drained(a_dispatcher(store, channel, pause=Pauses()))
    assert channel.calls == [1, 2]
    assert store.items == []


async def test_an_item_cut_off_by_the_drain_deadline_stays_and_sent_items_are_deleted() -> None:
    store = MemoryOutbox(an_item(1), an_item(2), an_item(3))
    channel = ScriptedChannel(fine, raises(SinkBusy("away", 0.0)))
    await cut_off(a_dispatcher(store, channel))  # its pause lasts for ever
    assert [item.id for item in store.items] == [2, 3]


async def test_depth_and_age_are_measured_by_channel() -> None:
    clock, channel = FakeClock(), MemoryChannel()
    channel.away = True
    dispatcher = Dispatcher(
        MemoryOutbox(an_item(1), an_item(2)),
        [NamedChannel("memory", channel)],
        clock,
        RecordedEvents(),
        DispatchLimits(pause=forever),
    )
    dispatcher.own(ALL)
    running = asyncio.create_task(dispatcher.run(asyncio.Event()))
    await until_idle()
    clock.advance(timedelta(minutes=1).total_seconds())
    assert dispatcher.depths() == [(("memory",), 2.0)]
    assert dispatcher.ages() == [(("memory",), 60.0)]
    running.cancel()
    await asyncio.wait({running})


# ---- one lane for each partition


class Slow(MemoryChannel):
    """Never answers for items of partition 0."""

    async def send(self, item: OutboxItem) -> None:
        if item.partition == 0:
            await asyncio.Event().wait()
        await super().send(item)


async def test_a_slow_partition_of_a_channel_holds_no_other_partition() -> None:
    channel, stop = Slow(), asyncio.Event()
    store = MemoryOutbox(an_item(1), *[an_item(number, partition=1) for number in range(2, 12)])
    running = asyncio.create_task(a_dispatcher(store, channel).run(stop))
    async with asyncio.timeout(60):
        while len(store.items) > 1:
            await asyncio.sleep(0)
    assert [item.id for item in store.items] == [1]
    assert channel.received == [an_item(number).event_id for number in range(2, 12)]
    running.cancel()
    await asyncio.wait({running})


async def test_each_partition_leaves_in_order_and_one_item_at_a_time() -> None:
    under_way: set[int] = set()
    order: list[int] = []

    class SerialChannel(MemoryChannel):
        async def send(self, item: OutboxItem) -> None:
            assert item.partition not in under_way
            under_way.add(item.partition)
            await asyncio.sleep(0)  # so that the other partitions come first
            under_way.remove(item.partition)
            order.append(item.id)

    items = [an_item(number, partition=number % 4) for number in range(40)]
    store = MemoryOutbox(*items)
    await drained(a_dispatcher(store, SerialChannel()))
    assert store.items == []
    assert sorted(order) == list(range(40))
    assert all([number for number in order if number % 4 == each] == list(range(each, 40, 4)) for each in range(4))


async def test_an_item_that_comes_while_its_partition_is_busy_leaves_after_those_before_it() -> None:
    store, channel = MemoryOutbox(an_item(1), an_item(2, partition=1)), ScriptedChannel()

    def another() -> None:
        store.items.append(an_item(3))
        dispatcher.wake()

    channel = ScriptedChannel(another)
    dispatcher = a_dispatcher(store, channel)
    await drained(dispatcher)
    assert [call for call in channel.calls if call != 2] == [1, 3]
    assert store.items == []


class SlowStore(MemoryOutbox):
    """A store whose calls answer late: `meanwhile` happens between the effect of a call and its answer."""

    def __init__(self, *items: OutboxItem) -> None:
        super().__init__(*items)
        self.meanwhile: dict[str, list[Callable[[], Awaitable[None]]]] = {"waiting": [], "sent": []}

    async def waiting(self, channel: str, partitions: frozenset[int], limit: int) -> Sequence[OutboxItem]:
        found = await super().waiting(channel, partitions, limit)
        await self._answer("waiting")
        return found

    async def sent(self, ids: Sequence[int]) -> None:
        await super().sent(ids)
        await self._answer("sent")

    async def _answer(self, call: str) -> None:
        if self.meanwhile[call]:
            await self.meanwhile[call].pop(0)()


async def ended(name: str) -> None:
    """Returns when no task of this name runs, and its callbacks have been called."""
    while any(task.get_name() == name for task in asyncio.all_tasks()):
        await asyncio.sleep(0)
    await asyncio.sleep(0)


async def test_an_item_that_comes_while_the_store_is_read_leaves_without_another_wake() -> None:
    store, channel = SlowStore(an_item(1)), MemoryChannel()

    async def another_comes() -> None:
        store.items.append(an_item(2, partition=1))
        dispatcher.wake()

    store.meanwhile["waiting"].append(another_comes)
    dispatcher = a_dispatcher(store, channel)
    running = asyncio.create_task(dispatcher.run(asyncio.Event()))
    await until_idle()
    assert channel.received == [an_item(1).event_id, an_item(2).event_id]
    running.cancel()
    await asyncio.wait({running})


async def test_an_item_whose_lane_ends_while_the_store_is_read_leaves_without_another_wake() -> None:
    answer = asyncio.Event()

    class HoldingChannel(MemoryChannel):
        async def send(self, item: OutboxItem) -> None:
            if item.id == 1:
                await answer.wait()
            await super().send(item)

    store, channel = SlowStore(an_item(1)), HoldingChannel()
    dispatcher = a_dispatcher(store, channel)
    running = asyncio.create_task(dispatcher.run(asyncio.Event()))
    await until_idle()  # the lane of partition 0 is busy now

    async def its_lane_ends() -> None:
        answer.set()
        await ended("outbox.memory.0")

    store.meanwhile["waiting"].append(its_lane_ends)
    store.items.append(an_item(2))
    dispatcher.wake()
    await until_idle()
    assert channel.received == [an_item(1).event_id, an_item(2).event_id]
    running.cancel()
    await asyncio.wait({running})


async def test_an_item_that_is_sent_while_others_are_deleted_is_not_sent_again() -> None:
    answer = asyncio.Event()

    class HoldingChannel(ScriptedChannel):
        async def send(self, item: OutboxItem) -> None:
            await super().send(item)
            if item.id == 2:
                await answer.wait()

    store, channel = SlowStore(an_item(1), an_item(2, partition=1)), HoldingChannel()

    async def the_other_is_sent() -> None:
        answer.set()
        dispatcher.wake()
        await ended("outbox.memory.1")

    store.meanwhile["sent"].append(the_other_is_sent)
    dispatcher = a_dispatcher(store, channel)
    await drained(dispatcher)
    assert sorted(channel.calls) == [1, 2]
    assert store.items == []


async def test_no_more_items_are_under_way_at_a_time_than_the_channel_takes() -> None:
    under_way = most = 0

    class Narrow(MemoryChannel):
        async def send(self, item: OutboxItem) -> None:
            nonlocal under_way, most
            under_way += 1
            most = max(most, under_way)
            await asyncio.sleep(0)
            under_way -= 1

    store = MemoryOutbox(*[an_item(number, partition=number % 8) for number in range(24)])
    await drained(a_dispatcher(store, NamedChannel("memory", Narrow(), at_once=2)))
    assert (most, store.items) == (2, [])


# ---- refusals, and items that are given up


async def test_a_refusal_that_a_person_must_mend_has_its_own_event_and_loses_nothing() -> None:
    events, pauses = RecordedEvents(), Pauses()
    channel = ScriptedChannel(raises(SinkBroken("no right to write: see its ACLs")), raises(SinkBusy("away", 0.0)))
    store = MemoryOutbox(an_item(1))
    await drained(a_dispatcher(store, channel, pause=pauses, events=events))
    assert [event.error for event in events.of(SinkRefused)] == ["no right to write: see its ACLs"]
    assert [event.error for event in events.of(SinkFailed)] == ["away"]
    assert channel.received == [an_item(1).event_id]


async def test_an_absence_does_not_count_towards_giving_an_item_up() -> None:
    events, away = RecordedEvents(), raises(SinkBusy("away", 0.0))
    channel = ScriptedChannel(*[away] * 20, raises(ZeroDivisionError("a bug")))
    await drained(a_dispatcher(MemoryOutbox(an_item(1)), channel, pause=Pauses(), events=events))
    assert channel.received == [an_item(1).event_id]
    assert events.of(OutboxGivenUp) == []


async def test_an_event_older_than_its_channel_allows_is_given_up_and_the_next_one_leaves() -> None:
    events, clock, channel = RecordedEvents(), FakeClock(), MemoryChannel()
    clock.advance(60)
    fresh = a_defect(2, at=clock.now())
    store = MemoryOutbox(an_item(1), an_item(2, defect=fresh))
    await drained(a_dispatcher(store, NamedChannel("memory", channel, max_age_s=5.0), events=events, clock=clock))
    assert channel.received == [fresh.event_id]
    assert store.items == []
    assert [(event.event_id, event.error) for event in events.of(OutboxGivenUp)] == [
        (an_item(1).event_id, "older than 5 s (sinks.channels.memory.max_age_s)")
    ]


async def test_an_event_that_grows_too_old_while_its_channel_is_away_is_given_up() -> None:
    events, clock = RecordedEvents(), FakeClock()
    channel = ScriptedChannel(*[raises(SinkBusy("away", 0.0))] * 9)
    pauses = Pauses(lambda count: clock.advance(2.0))
    store = MemoryOutbox(an_item(1))
    await drained(
        a_dispatcher(store, NamedChannel("memory", channel, max_age_s=5.0), pause=pauses, events=events, clock=clock)
    )
    assert (len(channel.calls), channel.received, store.items) == (3, [], [])
    assert len(events.of(OutboxGivenUp)) == 1


async def test_old_items_of_a_channel_that_was_switched_off_are_given_up_in_one_line() -> None:
    events, clock = RecordedEvents(), FakeClock()
    clock.advance(SWITCHED_OFF_S + 1)
    young = replace(an_item(4, "belt"), created_at=clock.now())
    store = MemoryOutbox(an_item(1, "belt"), an_item(2, "belt"), an_item(3, "belt", partition=9), young)
    await drained(a_dispatcher(store, MemoryChannel(), events=events, clock=clock))
    assert [(event.channel, event.count) for event in events.of(OutboxGivenUp)] == [("belt", 2)]
    assert [item.id for item in store.items] == [3, 4], "another owner's, and one that another sink may still send"


def waits(channel: Channel, delay_s: float = 3.0) -> NamedChannel:
    return NamedChannel("memory", channel, delay_s=delay_s)


@asynccontextmanager
async def running(dispatcher: Dispatcher) -> AsyncIterator[None]:
    task = asyncio.create_task(dispatcher.run(asyncio.Event()))
    await until_idle()
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_an_item_waits_for_its_time_and_no_other_waits_behind_it() -> None:
    """Of one partition: those that are due leave at once, each later one when it is due."""
    clock = FakeClock()
    items = [replace(an_item(number), created_at=START + timedelta(seconds=number)) for number in (1, 2, 4)]
    clock.advance(5.5)
    pauses = Pauses(lambda _: clock.advance(1.5))
    channel = MemoryChannel()
    async with running(a_dispatcher(MemoryOutbox(*items), waits(channel), pause=pauses, clock=clock)):
        assert channel.received == [item.event_id for item in items]
        assert pauses.delays_s == [1.5]


@pytest.mark.parametrize("count", [2, 7])
async def test_a_process_that_stops_leaves_what_is_not_due_and_the_next_one_sends_it(count: int) -> None:
    """7: more than it reads at a time."""
    clock = FakeClock()
    items = [an_item(number) for number in range(1, count + 1)]
    store, channel = MemoryOutbox(*items), MemoryChannel()
    await drained(a_dispatcher(store, waits(channel), clock=clock))
    assert (channel.received, len(store.items)) == ([], count)
    clock.advance(3.0)
    await drained(a_dispatcher(store, waits(channel), clock=clock))
    assert channel.received == [item.event_id for item in items]
    assert store.items == []


async def test_a_process_that_stops_while_an_item_waits_does_not_wait_with_it() -> None:
    store, stop = MemoryOutbox(an_item(1)), asyncio.Event()
    task = asyncio.create_task(a_dispatcher(store, waits(MemoryChannel())).run(stop))
    await until_idle()
    assert not task.done()
    stop.set()
    async with asyncio.timeout(60):
        await task
    assert len(store.items) == 1


async def test_a_clock_that_was_set_back_holds_no_item_for_longer_than_its_delay() -> None:
    clock = FakeClock()
    pauses = Pauses(lambda _: clock.advance(3.0))
    ahead, channel = replace(an_item(1), created_at=START + timedelta(days=1)), MemoryChannel()
    async with running(a_dispatcher(MemoryOutbox(ahead), waits(channel), pause=pauses, clock=clock)):
        assert (len(channel.received), pauses.delays_s) == (1, [3.0])


async def test_what_is_not_due_is_no_work_that_stands_still() -> None:
    clock = FakeClock()
    dispatcher = a_dispatcher(MemoryOutbox(an_item(1)), waits(MemoryChannel()), clock=clock)
    ((_, look),) = dispatcher.work
    async with running(dispatcher):
        assert (look(), dispatcher.ages()) == (Work(0, waits=False), [(("memory",), 0.0)])
        clock.advance(4.0)
        assert (look(), dispatcher.ages()) == (Work(0, waits=True), [(("memory",), 1.0)])
