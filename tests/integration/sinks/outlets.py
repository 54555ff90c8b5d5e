"""What an account shows and wakes, in memory."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from andon.messages import Inspection
from sinks.judgement.snapshot import CameraSnapshot


@dataclass
class MemoryOutlets:
    """A Live and the dispatcher's side of the outbox, in memory."""

    snapshots: dict[str, CameraSnapshot] = field(default_factory=dict)
    inspections: list[Inspection] = field(default_factory=list)
    owned: frozenset[int] = frozenset()
    woken: int = 0

    async def show(
        self, partition: int, snapshots: Sequence[CameraSnapshot], inspections: Sequence[Inspection]
    ) -> None:
        self.snapshots |= {item.camera_id: item for item in snapshots}
        self.inspections += inspections

    def wake(self, channels: Collection[str] | None = None) -> None:
        self.woken += 1

    def own(self, partitions: frozenset[int]) -> None:
        self.owned = partitions
