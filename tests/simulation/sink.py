"""One sink: the real `Account`, driven by hand from await to await, so that it can be interrupted, stopped or killed at
each of them; around it the real lanes, and the outbox's rules."""

from collections.abc import Coroutine, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, cast

from andon.backoff import Backoff
from andon.stream.lanes import Lane, Lanes
from andon.stream.offsets import OffsetTracker, Partition
from andon.stream.step import Delivery
from andon.wire import Record
from sinks.account import Account, AccountRules, Outlets
from sinks.judgement.snapshot import CameraSnapshot
from sinks.log_ends import Ends
from sinks.outbox_item import OutboxItem
from sinks.store.store import Store
from tests.simulation.broker import INSPECTIONS, World
from tests.simulation.plan import ALERTS, POLICY
from tests.simulation.store import PAUSE, ModelStore

Task = Coroutine[Any, Any, Any]


class _Turn:
    """An asyncio.Lock without an event loop."""

    def __init__(self) -> None:
        self._taken = False

    async def __aenter__(self) -> None:
        while self._taken:
            await PAUSE
        self._taken = True

    async def __aexit__(self, *exc: object) -> None:
        self._taken = False


class _Ends:
    def __init__(self, world: World) -> None:
        self._world = world

    async def read(self, partitions: Iterable[Partition]) -> Mapping[Partition, Ends]:
        await PAUSE
        return {item: self._of(item.partition) for item in partitions}

    def _of(self, number: int) -> Ends:
        return self._world.sinks.first[number], len(self._world.inspections[number])


class _NoLive:
    def own(self, partitions: frozenset[int]) -> None:
        pass

    async def show(self, partition: int, snapshots: Sequence[CameraSnapshot], inspections: Sequence[object]) -> None:
        await PAUSE


class Dispatch:
    """The outbox's way out: sent in order, struck off after the outside has acknowledged it."""

    marks_first = False
    """Strike off before it has left. Tests of the tests set it."""

    def __init__(self, world: World, store: ModelStore) -> None:
        self._world = world
        self._store = store
        self._held: list[OutboxItem] = []
        self._done: list[int] = []
        self._owned: frozenset[int] = frozenset()
        self._read_for = self._owned

    def wake(self) -> None:
        """Called after each batch; here the outbox is looked into all the time."""

    def own(self, partitions: frozenset[int]) -> None:
        self._owned = partitions

    @property
    def idle(self) -> bool:
        return not self._held and not self._done

    @property
    def called(self) -> bool:
        """Something in the outbox is for it."""
        return bool(self._store.waiting(ALERTS, self._owned, 1))

    def step(self) -> None:
        if self._done and (not self._held or self._world.rng.random() < 0.2):
            self._store.sent(self._done)
            self._done = []
        elif not self._held:
            self._read_for = self._owned
            self._held = self._store.waiting(ALERTS, self._owned, 3)
            if self.marks_first:
                self._store.sent([item.id for item in self._held])
        elif self._read_for is not self._owned:
            self._held = []
        elif self._world.receive(self._held[0]):
            self._done.append(self._held.pop(0).id)
        else:  # begin anew, from what the store has, once it knows what has left
            self._held = []


class Sink:
    def __init__(self, world: World, store: ModelStore, number: int) -> None:
        self.name = f"sink {number}"
        self.alive = True
        self.stopped = False
        self.world = world
        self.log = world.log
        """The name that its settings give the log."""
        self.lanes = Lanes(max_in_flight=8, max_in_flight_bytes=100_000)
        self.dispatch = Dispatch(world, store)
        rules = AccountRules(
            POLICY, (ALERTS,), self.log, batch_records=4, backoff=Backoff(draw=lambda: 0.5), pause=_paused
        )
        outlets = Outlets(_NoLive(), self.dispatch)
        self.account = Account(cast(Store, store), _Ends(world), outlets, rules, world.clock, lambda event: None)
        self.account._turn = cast(Any, _Turn())
        self._taking_over: Task | None = None
        self._flushing: Task | None = None
        self._draining: Task | None = None

    @property
    def settling(self) -> bool:
        return self._taking_over is not None

    @property
    def midway(self) -> bool:
        return self._flushing is not None

    @property
    def idle(self) -> bool:
        return self._at_leisure and not self.lanes.committable()

    @property
    def _at_leisure(self) -> bool:
        """There is nothing to be done but to commit."""
        busy = self._taking_over or self._flushing or self.lanes.in_flight or not self.dispatch.idle
        return not (busy or self._behind or self.dispatch.called)

    @property
    def _behind(self) -> bool:
        """There is something to be read."""
        logs = self.world.inspections
        if self.log != self.world.log:  # it is connected to what is no more
            return False
        for partition, lane in self.lanes.by_partition.items():
            if lane.position != len(logs[partition.partition]):
                return True
        return False

    def step(self) -> None:
        if self.world.calm:  # straight on: what remains is to see that it comes to an end
            for _ in range(12):
                if self._at_leisure:
                    break
                if self._taking_over is not None:
                    self._taking_over = self._stepped(self._taking_over)
                self._poll()
                self._flush()
                self.dispatch.step()
            self._commit()
            return
        draw = self.world.rng.random()
        if self._taking_over is not None and draw < 0.5:
            self._taking_over = self._stepped(self._taking_over)
        elif draw < 0.7:
            self._flush()
        elif draw < 0.85:
            self._poll()
        elif draw < 0.95:
            self.dispatch.step()
        else:
            self._commit()

    def kill(self) -> None:
        """Nothing of it happens any more. (What its coroutines do at their end touches nothing outside.)"""
        self.alive = False
        for task in (self._taking_over, self._flushing, self._draining):
            if task is not None:
                task.close()

    # ---- the group

    def give_up(self) -> None:
        partitions = frozenset(self.lanes.by_partition)
        if partitions:
            self._drain(partitions)
        self._commit()
        for partition in partitions:
            self.lanes.close(partition)

    def take_over(self, partitions: frozenset[int]) -> None:
        self._taking_over = self._assigned(frozenset(Partition(INSPECTIONS, number) for number in partitions))

    def _drain(self, partitions: frozenset[Partition]) -> None:
        """For so long as there is time; a batch that is being stored meanwhile goes on."""
        draining: Task | None = self.account.drain(partitions)
        for _ in range(self.world.rng.choice((0, 3, 10, 100))):
            if draining is None:
                return
            if self._flushing is not None and self.world.rng.random() < 0.5:
                self._flushing = self._stepped(self._flushing)
            else:
                draining = self._stepped(draining)
        if draining is not None:
            self._stepped(draining)  # it has at least begun
            draining.close()

    async def _assigned(self, partitions: frozenset[Partition]) -> None:
        resume = await self.account.assigned(partitions)
        self.lanes.open(sorted(partitions))
        for partition, offset in resume.items():
            lane = self.lanes.by_partition[partition]
            lane.position, lane.offsets = offset, OffsetTracker(offset)

    # ---- the stage and the step

    def _stepped(self, task: Task) -> Task | None:
        try:
            task.send(None)
        except StopIteration:
            return None
        return task

    def _flush(self) -> None:
        if self._flushing is not None:
            self._flushing = self._stepped(self._flushing)
            return
        for lane in self.account._lanes.values():
            if lane.waiting:
                self._flushing = self._stepped(self.account._flush(frozenset(self.account._lanes)))
                return

    def _poll(self) -> None:
        if not self._behind:
            return
        for lane, room in self.lanes.rooms():
            assert lane.position is not None
            number = lane.partition.partition
            first = max(lane.position, self.world.sinks.first[number])
            records = self.world.inspections[number][first : first + room]
            for record in records:
                self.lanes.take(lane, record)
            if records:
                self.account.submit([Delivery(record, partial(self._done, lane, record)) for record in records])

    def _done(self, lane: Lane, record: Record) -> None:
        if not lane.revoked:
            self.lanes.done(lane, record)

    def _commit(self) -> None:
        ahead = self.lanes.committable()
        if ahead and self.world.commit(self.world.sinks, self, ahead):
            self.lanes.committed(ahead)


async def _paused(seconds: float) -> None:
    await PAUSE
