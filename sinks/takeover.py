"""Takes partitions over: loads their accounts, and opens an epoch where the store knows another log.

A few calls for all of them together, repeated while the store or the broker is away. Heartbeats go on meanwhile.
"""

from collections.abc import Collection, Mapping
from typing import Protocol

from andon.backoff import Retrier
from andon.clock import Clock
from andon.events import EpochOpened
from andon.stream.offsets import Ends, Partition
from andon.stream.step import NO_CUTS, Cut
from sinks.epoch import Epoch, another_log
from sinks.judgement.quarters import FrameSums, counts_of
from sinks.judgement.sessions import expire, lose_log
from sinks.store.store import Store
from sinks.store.stored import Opening, Position, StoredPartition

Positions = Mapping[Partition, Position]


class LogEnds(Protocol):
    async def read(self, partitions: Collection[Partition]) -> Mapping[Partition, Ends]:
        """Raises RetryableError while the broker does not answer."""
        ...


class Takeover:
    """Event loop only."""

    def __init__(self, store: Store, ends: LogEnds, log: str, clock: Clock, retrier: Retrier) -> None:
        """`log`: the log's name (`kafka.epoch`)."""
        self._store = store
        self._ends = ends
        self._log = log
        self._clock = clock
        self._retrier = retrier

    async def load(
        self, partitions: Collection[Partition], cuts: Mapping[Partition, Cut] = NO_CUTS
    ) -> Mapping[Partition, StoredPartition]:
        """The stored accounts of these, each in an epoch of the log that the broker has now.

        `cuts`: those whose log has lost its end since this process read it.
        """
        await self._open_epochs(partitions, cuts)
        return await self.reload(partitions)

    async def reload(self, partitions: Collection[Partition]) -> Mapping[Partition, StoredPartition]:
        """The accounts of these as they are stored now."""
        return await self._retrier.insist("the store", lambda: self._store.load(partitions))

    async def _open_epochs(self, partitions: Collection[Partition], cuts: Mapping[Partition, Cut]) -> None:
        """Where another sink moves an account meanwhile, nothing is opened, and its new position is judged again."""
        stand = await self._positions(partitions)
        # only now: what a zombie accounts for in between must not look like more than the log holds
        ends = await self._read_ends(partitions)
        while epochs := self._new_epochs(ends, stand, cuts):
            await self._begin(epochs, stand)
            before, stand = stand, await self._positions(epochs)
            ours = {item: epoch for item, epoch in epochs.items() if stand.get(item) == epoch.position}
            for (topic, number), epoch in ours.items():
                if (topic, number) in before:
                    self._retrier.emit(EpochOpened(topic, number, epoch.position.epoch, epoch.detail))
            cuts = {item: cut for item, cut in cuts.items() if item not in ours}
            moved = epochs.keys() - ours
            ends = await self._read_ends(moved) if moved else {}

    def _new_epochs(
        self, ends: Mapping[Partition, Ends], stand: Positions, cuts: Mapping[Partition, Cut]
    ) -> dict[Partition, Epoch]:
        epoch_of = {
            item: another_log(stand.get(item), self._log, end, cuts.get(item)) for item, end in sorted(ends.items())
        }
        return {item: epoch for item, epoch in epoch_of.items() if epoch is not None}

    async def _begin(self, epochs: Mapping[Partition, Epoch], stand: Positions) -> None:
        """Open these epochs. Records of open sessions that nobody has accounted for are lost with the log."""
        known = await self.reload(epochs)
        openings = []
        for partition, epoch in epochs.items():
            cameras = tuple(known[partition].cameras.values())
            now, frames = self._clock.now(), FrameSums()
            for camera in cameras:
                before = counts_of(camera.state.totals)
                (expire if epoch.expired else lose_log)(camera)
                frames.add(camera.camera_id, now, before, counts_of(camera.state.totals))
            expected = stand.get(partition)
            opening = Opening(partition, epoch.position, now, epoch.detail, cameras, expected, tuple(frames))
            openings.append(opening)
        await self._retrier.insist("the store", lambda: self._store.begin(openings))

    async def _positions(self, partitions: Collection[Partition]) -> Positions:
        return await self._retrier.insist("the store", lambda: self._store.positions(partitions))

    async def _read_ends(self, partitions: Collection[Partition]) -> Mapping[Partition, Ends]:
        return await self._retrier.insist("the log's ends", lambda: self._ends.read(partitions))
