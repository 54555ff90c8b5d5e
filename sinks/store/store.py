"""What the sinks know, in SQL: states, ledgers, defect events, outbox and offset change together or not at all.

A batch is one transaction, and it holds only if the partition's stored offset is still the one that the batch began at:
a crash leaves all or nothing, and of two sinks that both think a partition theirs, one is refused.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from andon.process.watchdog import NO_LIMIT, TimeLimit
from andon.stream.offsets import Partition
from sinks.judgement.ledger import SessionLedger
from sinks.outbox_item import OutboxItem
from sinks.store import loading
from sinks.store import queries as rows
from sinks.store.database import Database, opened
from sinks.store.pruned import SessionKey
from sinks.store.stored import Batch, Opening, Position, StoredAccounts, StoredPartition


class Store:
    """The account's side of the database, and the outbox's (an OutboxStore)."""

    def __init__(self, database: Database) -> None:
        self._database = database

    @classmethod
    async def open(cls, url: str, limit: TimeLimit = NO_LIMIT) -> "Store":
        """`limit` is entered for each transaction. Raises ConfigError where the database can't be opened."""
        return cls(await opened(url, limit))

    @property
    def risks(self) -> Sequence[str]:
        """Settings of the database that may cost what is stored, each as one line."""
        return self._database.risks

    async def close(self) -> None:
        await self._database.close()

    async def positions(self, partitions: Collection[Partition]) -> dict[Partition, Position]:
        """Where the accounts of these stand. A partition of which nothing was ever accounted for is left out."""
        return await self._database.run(lambda connection: loading.positions(connection, partitions))

    async def load(self, partitions: Collection[Partition]) -> dict[Partition, StoredPartition]:
        """All that is known of these, read anew."""
        return await self._database.run(lambda connection: loading.load(connection, partitions))

    async def begin(self, openings: Sequence[Opening]) -> None:
        """Start the accounts of partitions, or start them anew in another epoch of their logs.

        Nothing happens to one that does not stand where its opening expects it: another sink has moved it.
        """
        await self._database.run(lambda connection: loading.begin(connection, openings))

    async def ledgers(self, keys: Sequence[SessionKey]) -> dict[SessionKey, SessionLedger]:
        """Those of these that are stored."""
        return await self._database.run(lambda connection: loading.ledgers(connection, keys))

    async def everything(self) -> StoredAccounts:
        """All that an audit needs."""
        return await self._database.run(rows.everything)

    async def write(self, batches: Sequence[Batch]) -> frozenset[Partition]:
        """Store each batch wholly or not at all. Returns the partitions that were refused: another sink owns them."""
        if not batches:
            return frozenset()
        try:
            await self._database.run(lambda connection: rows.write_all(connection, batches))
        except rows.RefusedError as refused:
            if len(batches) == 1:
                return frozenset({refused.partition})
            singly = [await self.write([batch]) for batch in batches]
            return frozenset().union(*singly)
        return frozenset()

    async def waiting(self, channel: str, partitions: frozenset[int], limit: int) -> Sequence[OutboxItem]:
        """The oldest unsent items of these partitions, in order."""
        return await self._database.run(lambda connection: rows.waiting(connection, channel, partitions, limit))

    async def sent(self, ids: Sequence[int]) -> None:
        """They have left; forget them."""
        await self._database.run(lambda connection: rows.sent(connection, ids))

    async def failed(self, ids: Sequence[int]) -> None:
        """Counts an attempt."""
        await self._database.run(lambda connection: rows.failed(connection, ids))

    async def give_up_others(
        self, channels: frozenset[str], partitions: frozenset[int], before: datetime
    ) -> Mapping[str, int]:
        """Delete rows of these partitions older than `before` that belong to none of `channels`; counts by channel."""
        return await self._database.run(
            lambda connection: rows.give_up_others(connection, channels, partitions, before)
        )

    async def depth(self, partitions: frozenset[int]) -> Mapping[str, tuple[int, datetime | None]]:
        """For each channel: how many wait, and since when the oldest does."""
        return await self._database.run(lambda connection: rows.depth(connection, partitions))
