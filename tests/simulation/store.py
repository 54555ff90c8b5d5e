"""The store of the sinks in memory, with the real one's transaction: all of a batch or nothing, and only if the stored
offset is the one that the batch began at. Every call can be interrupted before its effect and after it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Literal

from andon.alarms import Alarm
from andon.errors import RetryableError
from andon.stream.offsets import Partition
from sinks.judgement.ledger import SessionLedger
from sinks.judgement.state import CameraAccount, from_bytes, to_bytes
from sinks.outbox_item import OutboxItem
from sinks.store.pruned import SessionKey
from sinks.store.stored import Batch, Opening, Position, StoredPartition
from tests.simulation.broker import Result, World, require
from tests.simulation.coroutine import PAUSE
from tests.simulation.plan import ALERTS, PARTITIONS, RaisedEvent

Gap = Literal["expired", "log_lost"]


@dataclass(slots=True)
class DurableState:
    """The database's content, which survives every process."""

    positions: dict[int, Position]
    states: dict[tuple[int, str], bytes]
    ledgers: dict[tuple[int, str, str], bytes]
    events: dict[int, list[RaisedEvent]]
    """Defects and verdicts by partition, in the order in which they leave."""
    event_ids: set[str]
    outbox: list[OutboxItem]
    alarms: list[Alarm]
    """Events of alarms, in the order in which they were stored."""
    journal: dict[int, list[Result | Gap]]
    """Results that are in the account, in order, by partition. A gap stands where records before the next were lost."""
    items: int = 0
    """Number of items put into the outbox since the beginning."""


class ModelStore:
    """`sinks.store.Store` as the account and the outbox see it; one database, shared by all sinks."""

    conditional = True
    """Whether a batch is refused if the stored offset has moved. Tests of the invariants turn it off."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.locked = False
        """Another process holds the lock of the store: no call gets through."""
        self.durable = DurableState({}, {}, {}, {}, set(), [], [], {number: [] for number in range(PARTITIONS)})

    async def positions(self, partitions: Collection[Partition]) -> dict[Partition, Position]:
        await self._interruptible()
        found = self._positions(partitions)
        await PAUSE
        return found

    async def begin(self, openings: Sequence[Opening]) -> None:
        await self._interruptible()
        for opening in openings:
            number, stored = opening.partition.partition, self.durable.positions.get(opening.partition.partition)
            if stored == opening.expected:
                self.durable.positions[number] = opening.position
                if stored is not None:
                    gap: Gap = "expired" if stored.log == opening.position.log else "log_lost"
                    self.durable.journal[number].append(gap)
                    self.world.trace("store", f"partition {number} goes on at {opening.position}")
                self._write_states(number, opening.states)
        await PAUSE

    async def load(self, partitions: Collection[Partition]) -> dict[Partition, StoredPartition]:
        """Read statement by statement: others may write in between."""
        await self._interruptible()
        stand = self._positions(partitions)
        await PAUSE
        cameras = {item: self._cameras(item.partition) for item in partitions}
        await PAUSE
        return {item: StoredPartition(stand.get(item), cameras[item]) for item in partitions}

    def _positions(self, partitions: Collection[Partition]) -> dict[Partition, Position]:
        stored = self.durable.positions
        return {item: stored[item.partition] for item in partitions if item.partition in stored}

    def _cameras(self, partition: int) -> dict[str, CameraAccount]:
        found = {}
        for (number, camera_id), memory in self.durable.states.items():
            if number == partition:
                state = CameraAccount(camera_id, from_bytes(memory))
                for session in state.open_sessions:
                    stored = self.durable.ledgers.get((partition, camera_id, session))
                    if stored is not None:
                        state.sessions[session] = SessionLedger.from_bytes(stored)
                found[camera_id] = state
        return found

    async def ledgers(self, keys: Sequence[SessionKey]) -> dict[SessionKey, SessionLedger]:
        await self._interruptible()
        stored = {key: self.durable.ledgers.get(key) for key in keys}
        await PAUSE
        return {key: SessionLedger.from_bytes(ledger) for key, ledger in stored.items() if ledger is not None}

    async def write(self, batches: Sequence[Batch]) -> frozenset[Partition]:
        refused = []
        for batch in batches:  # each on its own: what the real store does where one is refused
            await self._interruptible()
            if not self._write(batch):
                refused.append(batch.partition)
            if self.world.chance("store_busy", 0.05):
                await PAUSE
                raise RetryableError("the store's answer was lost")
            await PAUSE
        return frozenset(refused)

    def waiting(self, channel: str, partitions: frozenset[int], limit: int) -> list[OutboxItem]:
        """Items in the order in which they entered the outbox."""
        if not self.durable.outbox:
            return []
        mine = (item for item in self.durable.outbox if item.channel == channel and item.partition in partitions)
        return list(islice(mine, limit))

    def sent(self, ids: Sequence[int]) -> None:
        self.durable.outbox = [item for item in self.durable.outbox if item.id not in ids]

    async def _interruptible(self) -> None:
        await PAUSE
        if self.locked or self.world.chance("store_busy", 0.05):
            raise RetryableError("the store is busy")

    def _write(self, batch: Batch) -> bool:
        number, durable = batch.partition.partition, self.durable
        before = durable.positions[number]
        if self.conditional and before != batch.expected:
            self.world.trace("store", f"refuses {number}: {batch.expected} is {before}")
            return False
        require(batch.next_offset >= before.next_offset, f"partition {number}: the stored offset went back")
        durable.positions[number] = Position(before.epoch, before.log, batch.next_offset)
        if before.log == self.world.log:
            self.world.sinks.finished[number].update(range(before.next_offset, batch.next_offset))
        durable.journal[number] += self.world.logs[before.log][number][before.next_offset : batch.next_offset]
        self._write_states(number, batch.states)
        for event in _in_order(batch):
            require(event.event_id not in durable.event_ids, f"{event.event_id} was raised twice")
            durable.event_ids.add(event.event_id)
            durable.events.setdefault(number, []).append(event)
        durable.alarms += batch.alarms
        for leaving in batch.leaving:
            durable.items += 1
            durable.outbox.append(
                OutboxItem(durable.items, leaving.channel, number, leaving.event_id, leaving.payload, batch.at, 0)
            )
        self.world.trace(
            "store", f"partition {number} at {batch.next_offset}", *(item.event_id for item in _in_order(batch))
        )
        return True

    def _write_states(self, partition: int, states: Sequence[CameraAccount]) -> None:
        for camera in states:
            self.durable.states[partition, camera.camera_id] = to_bytes(camera.state)
            for session in camera.changed & camera.sessions.keys():
                self.durable.ledgers[partition, camera.camera_id, session] = camera.sessions[session].to_bytes()

    def tallies(self) -> Mapping[tuple[str, str], SessionLedger]:
        """The ledgers by camera and session; each camera has one partition here."""
        return {key[1:]: SessionLedger.from_bytes(stored) for key, stored in self.durable.ledgers.items()}


def _in_order(batch: Batch) -> list[RaisedEvent]:
    """Each event and each verdict once, in the order in which they leave."""
    raised: list[RaisedEvent] = [*batch.events, *batch.verdicts]
    by_id = {event.event_id: event for event in raised}
    require(len(by_id) == len(raised), "a batch holds an event twice")
    left = [by_id[item.event_id] for item in batch.leaving if item.channel == ALERTS]
    require(len(left) == len(by_id), "a batch holds an event that does not leave")
    return left
