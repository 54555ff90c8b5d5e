"""A step that holds every delivery until the test lets it go."""

from collections.abc import Mapping, Sequence

from andon.stream.offsets import Partition
from andon.stream.step import NO_CUTS, Cut, Delivery


class HoldingPartition:
    """One assignment of one partition."""

    def __init__(self, step: "Holding", partition: Partition, resume_at: int | None) -> None:
        self.partition = partition
        self.resume_at = resume_at
        self.needed_from: int | None = None
        self.drains = 0
        self.discarded = False
        self._step = step

    def submit(self, deliveries: Sequence[Delivery]) -> None:
        assert not self.discarded
        self._step.held += deliveries

    async def drain(self) -> None:
        self.drains += 1
        await self._step.drained()

    def discard(self) -> None:
        self.discarded = True


class Holding:
    """`opened`: every object that it made, in order."""

    def __init__(self, resume: Mapping[Partition, int] | None = None) -> None:
        self.held: list[Delivery] = []
        self.opened: list[HoldingPartition] = []
        self.cuts: dict[Partition, Cut] = {}
        """The last cut of each partition."""
        self._resume = dict(resume or {})

    async def open(
        self, partitions: frozenset[Partition], cuts: Mapping[Partition, Cut] = NO_CUTS
    ) -> Mapping[Partition, HoldingPartition]:
        self.cuts.update(cuts)
        resume = self._resume | {item: cut.resume_at for item, cut in cuts.items()}
        opened = {item: HoldingPartition(self, item, resume.get(item)) for item in sorted(partitions)}
        self.opened += opened.values()
        return opened

    async def drained(self) -> None:
        """A partition is drained."""

    def finish(self, *offsets: int) -> None:
        for delivery in [item for item in self.held if item.record.offset in offsets]:
            self.held.remove(delivery)
            delivery.done()

    def finish_first(self, count: int) -> None:
        for delivery in self.held[:count]:
            delivery.done()
        del self.held[:count]
