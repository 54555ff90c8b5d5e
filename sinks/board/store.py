"""The board's side of the store: reads that disturb no sink, and the few writes of people."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from sqlalchemy import Connection

from andon.process.watchdog import NO_LIMIT, TimeLimit
from sinks.store.database import Database, opened
from sinks.store.reading import StoreReader

T = TypeVar("T")


class BoardStore:
    def __init__(self, writing: Database, reads: StoreReader) -> None:
        self._writing = writing
        self.reads = reads

    @classmethod
    async def open(cls, url: str, limit: TimeLimit = NO_LIMIT) -> "BoardStore":
        """Brings the schema up to date. Raises ConfigError or FatalError, one line each, as `opened` does."""
        writing = await opened(url, limit)
        return cls(writing, StoreReader(url))

    @property
    def risks(self) -> Sequence[str]:
        """Settings of the database that may cost what is stored, each as one line."""
        return self._writing.risks

    async def read(self, query: Callable[[Connection], T]) -> T:
        """What `query` reads; it can't change anything. Raises RetryableError while the store is away."""
        return await self.reads.run(query)

    async def write(self, work: Callable[[Connection], T]) -> T:
        """`work` in a transaction of its own. Raises RetryableError while the store is locked, full or away."""
        return await self._writing.run(work)

    async def close(self) -> None:
        await self.reads.close()
        await self._writing.close()
