"""One sink: the real `Account` with the real lanes, and the rules of the outbox.

The simulation steps the account from await to await, and can interrupt, stop or kill it at each of them.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import cast

from andon.backoff import Backoff
from andon.errors import FatalError
from andon.stream.lanes import Lane, Lanes
from andon.stream.offsets import Ends, Partition
from andon.stream.step import Delivery
from andon.wire import Record
from sinks.account import Account, AccountRules, Outlets
from sinks.judgement.snapshot import CameraSnapshot
from sinks.outbox_item import OutboxItem
from sinks.store.store import Store
from tests.simulation.broker import INSPECTIONS, World
from tests.simulation.coroutine import PAUSE, SteppedCoroutine
from tests.simulation.plan import ALERTS, JUDGEMENT_RULES
from tests.simulation.store import ModelStore


class _Ends:
    def __init__(self, world: World) -> None:
        self._world = world

    async def read(self, partitions: Iterable[Partition]) -> Mapping[Partition, Ends]:
        await PAUSE
        return {item: self._of(item.partition) for item in partitions}

    def _of(self, number: int) -> Ends:
        return Ends(self._world.sinks.first[number], len(self._world.inspections[number]))


class _NoLive:
    def own(self, partitions: frozenset[int]) -> None:
        pass

    async def show(self, partition: int, snapshots: Sequence[CameraSnapshot], inspections: Sequence[object]) -> None:
        await PAUSE


class Dispatch:
    """Sends the items of the outbox in order, and deletes each after the channel has acknowledged it."""

    marks_first = False
    """Delete an item before it has left. Tests of the invariants set it."""

    def __init__(self, world: World, store: ModelStore) -> None:
        self._world = world
        self._store = store
        self._held: list[OutboxItem] = []
        self._done: list[int] = []
        self._owned: frozenset[int] = frozenset()
        self._read_for = self._owned

    def wake(self, channels: Collection[str] | None = None) -> None:
        """Called after each batch. Does nothing here: the dispatcher reads the outbox at every step."""

    def own(self, partitions: frozenset[int]) -> None:
        self._owned = partitions

    @property
    def idle(self) -> bool:
        return not self._held and not self._done

    @property
    def called(self) -> bool:
        """Whether the outbox holds an item for this dispatcher."""
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
    """A process: the real account, with the rules of `Stage` and of the role."""

    def __init__(self, world: World, store: ModelStore, number: int) -> None:
        self.name = f"sink {number}"
        self.alive = True
        self.stopped = False
        self.ending = False
        """The sink has the signal to end: it reads no more, drains, sends the items in the outbox, and leaves."""
        self.world = world
        self.store = store
        self.log = world.log
        """The log's name in the settings of this process."""
        self.lanes = Lanes(max_in_flight=8, max_in_flight_bytes=100_000)
        self.dispatch = Dispatch(world, store)
        rules = AccountRules(
            JUDGEMENT_RULES,
            (ALERTS,),
            self.log,
            batch_s=0.0,
            batch_records=4,
            backoff=Backoff(draw=lambda: 0.5),
            pause=_paused,
        )
        outlets = Outlets(_NoLive(), self.dispatch)
        self.account = Account(cast(Store, store), _Ends(world), outlets, rules, world.clock, lambda event: None)
        self._running = SteppedCoroutine(self.account.run())
        self._running.step()
        self._loading: SteppedCoroutine | None = None
        self._failure: FatalError | None = None

    @property
    def settling(self) -> bool:
        return self._loading is not None

    @property
    def midway(self) -> bool:
        return not self._running.waits

    @property
    def idle(self) -> bool:
        return self._at_leisure and not self.lanes.committable()

    @property
    def ended(self) -> bool:
        """The sink had the signal to end, and holds nothing any more."""
        return self.ending and self.idle

    @property
    def _at_leisure(self) -> bool:
        """Whether the sink has nothing to do except commits."""
        busy = self._loading or self.midway or self.lanes.in_flight or not self.dispatch.idle
        return not (busy or self._behind or self.dispatch.called)

    @property
    def _behind(self) -> bool:
        """Whether there is a record to read."""
        logs = self.world.inspections
        if self.ending or self.log != self.world.log:  # or it is connected to a log that is no more
            return False
        for partition, lane in self.lanes.by_partition.items():
            if lane.position != len(logs[partition.partition]):
                return True
        return False

    def step(self) -> None:
        if self._failure is not None:
            raise self._failure
        if self.world.calm:  # straight on: what remains is to see that it comes to an end
            for _ in range(12):
                if self._at_leisure:
                    break
                self._load()
                self._poll()
                self._running.step()
                self.dispatch.step()
            self._commit()
            return
        draw = self.world.rng.random()
        if self._loading is not None and draw < 0.5:
            self._load()
        elif draw < 0.7:
            self._running.step()
        elif draw < 0.85:
            self._poll()
        elif draw < 0.95:
            self.dispatch.step()
        else:
            self._commit()

    def end(self) -> None:
        """Begin to drain, as SIGTERM makes a process do."""
        self.ending = True
        self._stop_loading()
        for lane in self.lanes.by_partition.values():
            SteppedCoroutine(lane.step.drain()).step()  # it has at least begun

    def kill(self) -> None:
        """End at once. (What the coroutines do when they close touches nothing outside.)"""
        self.alive = False
        self._stop_loading()
        self._running.cancel()

    # ---- the group

    def give_up(self) -> None:
        """Finish as many records as time and store allow, and abandon the rest. An error ends the process."""
        self._stop_loading()
        try:
            self._drain()
        except FatalError as error:
            self._failure = error
        self._commit()
        for lane in list(self.lanes.by_partition.values()):
            lane.step.discard()
            self.lanes.close(lane)

    def take_over(self, partitions: frozenset[int]) -> None:
        if not self.ending:
            self._loading = SteppedCoroutine(
                self._open(frozenset(Partition(INSPECTIONS, number) for number in partitions))
            )

    def _drain(self) -> None:
        """Drain every lane. If the store stays locked, the drain is cut off with a batch under way."""
        drains = [SteppedCoroutine(lane.step.drain()) for lane in self.lanes.by_partition.values()]
        self.store.locked = self.world.chance("store_locked", 0.5)
        try:
            for _ in range(self.world.rng.choice((0, 3, 10, 100))):
                for drain in drains:
                    drain.step()
                if all(drain.ended for drain in drains):
                    return
                self._running.step()
        finally:
            self.store.locked = False
            for drain in drains:
                drain.cancel()

    async def _open(self, partitions: frozenset[Partition]) -> None:
        for partition, account in (await self.account.open(partitions)).items():
            self.lanes.open(partition, account, account.resume_at)

    def _load(self) -> None:
        if self._loading is not None:
            self._loading.step()
            if self._loading.ended:
                self._loading = None

    def _stop_loading(self) -> None:
        if self._loading is not None:
            self._loading.cancel()
            self._loading = None

    # ---- the stage

    def _poll(self) -> None:
        if not self._behind:
            return
        for lane, room in self.lanes.rooms():
            number = lane.partition.partition
            first = max(lane.position, self.world.sinks.first[number])
            records = self.world.inspections[number][first : first + room]
            for record in records:
                self.lanes.take(lane, record)
            if records:
                lane.step.submit([Delivery(record, partial(self._done, lane, record)) for record in records])

    def _done(self, lane: Lane, record: Record) -> None:
        if not lane.revoked:
            self.lanes.done(lane, record)

    def _commit(self) -> None:
        ahead = self.lanes.committable()
        if ahead and self.world.commit(self.world.sinks, self, ahead):
            self.lanes.committed(ahead)


async def _paused(seconds: float) -> None:
    if seconds:
        await PAUSE
