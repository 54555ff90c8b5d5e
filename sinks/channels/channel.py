"""The seams between the account, the outbox's rows, and the channels by which these rows leave."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from andon.errors import RetryableError
from andon.messages import Inspection
from sinks.judgement.snapshot import CameraSnapshot
from sinks.outbox_item import OutboxItem

REFUSED_RETRY_S = 10.0


class SinkBusy(RetryableError):  # noqa: N818  # the name of the field
    """The outside is away or slow: call again after `retry_after_s` or later."""


class SinkBroken(RetryableError):  # noqa: N818  # like SinkBusy
    """The outside refuses every item until a person mends it: a right, a password, a key of the wrong type.

    The message says what to mend. The item stays in the outbox, and no other channel waits for it.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message, REFUSED_RETRY_S)


class Channel(Protocol):
    """The way out for items. To send an event twice must have the effect of once, as far as the outside allows."""

    async def send(self, item: OutboxItem) -> None:
        """Returns when the outside has acknowledged the item. Items of several partitions may be under way at a time,
        of one partition one item.

        Raises:
            SinkBusy, SinkBroken: the same item is sent again later; items of other partitions are not held up.
            PoisonError: the item can never leave. It is given up, and the log says so.
        """
        ...


class OutboxStore(Protocol):
    """The outbox's rows, as `outbox.Dispatcher` sees them."""

    async def waiting(self, channel: str, partitions: frozenset[int], limit: int) -> Sequence[OutboxItem]:
        """The oldest unsent items of these partitions, in order."""
        ...

    async def sent(self, ids: Sequence[int]) -> None:
        """Deletes the rows."""
        ...

    async def failed(self, ids: Sequence[int]) -> None:
        """Counts an attempt."""
        ...

    async def depth(self, partitions: frozenset[int]) -> Mapping[str, tuple[int, datetime | None]]:
        """For each channel: how many items wait, and since when the oldest waits."""
        ...

    async def give_up_others(
        self, channels: frozenset[str], partitions: frozenset[int], before: datetime
    ) -> Mapping[str, int]:
        """Deletes the rows of these partitions that are older than `before` and belong to none of `channels`.

        Returns how many rows each such channel had.
        """
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
