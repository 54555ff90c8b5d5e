"""The seams of the sinks: what an account hands over, and what takes it to the outside."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from andon.errors import RetryableError
from andon.messages import Inspection
from sinks.judgement.snapshot import CameraSnapshot
from sinks.outbox_item import OutboxItem


class SinkBusy(RetryableError):  # noqa: N818  # the name of the field
    """What is outside is away or slow: come again after `retry_after_s`."""


class Channel(Protocol):
    """Where items leave. Sending the same event twice must have the effect of once, as far as the outside allows."""

    @property
    def name(self) -> str: ...

    async def send(self, item: OutboxItem) -> None:
        """Returns when the outside has acknowledged it. Raises SinkBusy to be called again later with the same item."""
        ...


class OutboxStore(Protocol):
    """The outbox's rows, as `outbox.Dispatcher` sees them."""

    async def waiting(self, channel: str, partitions: frozenset[int], limit: int) -> Sequence[OutboxItem]:
        """The oldest unsent items of these partitions, in order."""
        ...

    async def sent(self, ids: Sequence[int]) -> None: ...

    async def failed(self, ids: Sequence[int]) -> None:
        """Counts an attempt."""
        ...

    async def depth(self, partitions: frozenset[int]) -> Mapping[str, tuple[int, datetime | None]]:
        """For each channel: how many wait, and since when the oldest does."""
        ...


class Live(Protocol):
    """The latest state of each camera and a capped stream of inspections."""

    def own(self, partitions: frozenset[int]) -> None:
        """From now on write the cameras of these partitions, and forget all others: they have another owner."""
        ...

    async def show(
        self, partition: int, snapshots: Sequence[CameraSnapshot], inspections: Sequence[Inspection]
    ) -> None:
        """Replace the state of these cameras, all of one owned partition. Never raises: Redis is rebuilt later."""
        ...
