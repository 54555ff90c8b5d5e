"""Which cameras are this ingester's: those in the partitions of the registry that it has at the moment."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from andon.cameras.registry import Entry, Registry
from andon.process.lifecycle import Life
from andon.stream.clients import started
from andon.stream.sharing import Sharing, sharing_consumer
from ingest.building import spool_folder
from ingest.fleet import PlannedCamera
from ingest.identity import identity


class Shares(Protocol):
    """The partitions of the registry that are this ingester's. Event loop only."""

    @property
    def tenures(self) -> Mapping[int, int]:
        """By partition: the number of this ingester's tenure; 0: nobody shares the cameras out."""
        ...

    @property
    def joined(self) -> bool:
        """The first decision is known."""
        ...


@dataclass(frozen=True, slots=True)
class Everything:
    """The shares of the line's only ingester."""

    tenures: Mapping[int, int]
    joined: bool = True


@dataclass(frozen=True, slots=True)
class CameraSelection:
    """Which of the registry's cameras an ingester may capture at all."""

    site: str | None = None
    """Those of this site; None: those without one."""
    alone: bool = False
    """It is the only ingester, so those of all sites."""
    only: frozenset[str] = frozenset()
    """Those with these ids, enabled or not; empty: all that are enabled."""

    def takes(self, camera_id: str, entry: Entry) -> bool:
        settings = entry.config.settings or {}
        if self.only:
            return camera_id in self.only
        return settings.get("enabled", True) is not False and (self.alone or settings.get("site") == self.site)

    def loads(self, registry: Registry) -> dict[int, int]:
        """The number of these cameras in each partition."""
        loads: dict[int, int] = {}
        for camera_id, entry in registry.cameras.items():
            if self.takes(camera_id, entry):
                loads[entry.partition] = loads.get(entry.partition, 0) + 1
        return loads

    def wanted(self, registry: Registry, shares: Shares) -> dict[str, PlannedCamera]:
        """The cameras that are to run here now."""
        tenures = shares.tenures
        return {
            camera_id: PlannedCamera(entry.config, tenures[entry.partition])
            for camera_id, entry in registry.cameras.items()
            if entry.partition in tenures and self.takes(camera_id, entry)
        }


@asynccontextmanager
async def open_shares(
    life: Life, registry: Registry, choice: CameraSelection, tasks: asyncio.TaskGroup, changed: Callable[[], object]
) -> AsyncIterator[Shares]:
    """This ingester's shares. If it isn't alone, it joins the group of its site, and leaves it at the end."""
    if choice.alone:
        yield Everything(dict.fromkeys(registry.partitions, 0))
        return
    with identity(spool_folder(life.settings)) as own:
        async with _member(life, registry, choice, own, changed) as sharing:
            running = tasks.create_task(sharing.run(), name="ingest.share")
            try:
                yield sharing
            finally:
                running.cancel()
                await asyncio.wait({running})
                if not life.settings.kafka.member:
                    sharing.leave_at_stop()


@asynccontextmanager
async def _member(
    life: Life, registry: Registry, choice: CameraSelection, own: str, changed: Callable[[], object]
) -> AsyncIterator[Sharing]:
    """`own`: the name by which the group knows this ingester again after a crash, unless it has been given one."""
    kafka, group = life.settings.kafka, life.settings.ingest_group(choice.site)
    kafka = kafka.model_copy(update={"member": kafka.member or own})
    joining = partial(sharing_consumer, kafka, group, partial(choice.loads, registry))
    async with started(joining, kafka, life.emit) as client:
        yield Sharing(client, kafka.cameras_topic, life.clock, life.emit, changed)
