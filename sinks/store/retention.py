"""Keeps the store within its size: deletes what `sinks.keep_days` says, in small transactions beside the account.

SQLite puts new rows into the pages of deleted ones, so its file stops growing when the first rows reach their age. It
does not shrink: after the first prune of an old, large file `VACUUM` gives the room back, with the sinks stopped.
"""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

from sqlalchemy import Connection

from andon.clock import Clock
from andon.settings import KeepDays
from sinks.store import prune_queries
from sinks.store.database import Database
from sinks.store.old_rows import Cutoffs, Target, cutoffs
from sinks.store.prune_queries import PruneCounts

PAUSE_S = 0.02
"""Pause after each transaction: on SQLite one that waits for the lock polls for it, and must find it free."""
T = TypeVar("T")


class StoreRetention:
    """Prunes one store. It needs a `Database` of its own: on the account's connection each DELETE would delay it."""

    def __init__(
        self,
        database: Database,
        keep: KeepDays,
        clock: Clock,
        pause: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        """The caller closes `database`."""
        self._database = database
        self._keep = keep
        self._clock = clock
        self._pause = pause

    async def prune(self, partitions: frozenset[int] | None = None) -> PruneCounts:
        """Delete what is too old in these partitions; None: in all. Raises RetryableError; go on later.

        May be cancelled at any time: each transaction is whole.
        """
        before = cutoffs(self._keep, self._clock.now())
        counts = PruneCounts()
        for target in await self._targets(partitions):
            counts += await self._prune_rows(target, before) + await self._prune_sessions(target, before)
        return counts

    async def count(self) -> PruneCounts:
        """What `prune` would delete now."""
        before = cutoffs(self._keep, self._clock.now())
        counts = await self._run(partial(prune_queries.count_epochs, before=before))
        for target in await self._targets(None):
            counts += await self._run(partial(prune_queries.count, target=target, before=before))
        return counts

    async def _run(self, work: Callable[[Connection], T]) -> T:
        result = await self._database.run(work)
        await self._pause(PAUSE_S)
        return result

    async def _targets(self, partitions: frozenset[int] | None) -> list[Target]:
        return await self._run(partial(prune_queries.targets, partitions=partitions))

    async def _prune_rows(self, target: Target, before: Cutoffs) -> PruneCounts:
        counts = PruneCounts()
        while (step := await self._run(partial(prune_queries.prune, target=target, before=before))).rows:
            counts += step
        return counts

    async def _prune_sessions(self, target: Target, before: Cutoffs) -> PruneCounts:
        sessions, after = 0, ""
        while True:
            look = partial(prune_queries.prune_sessions, target=target, before=before.sessions, after=after)
            step = await self._run(look)
            if step.last is None:
                return PruneCounts(sessions=sessions)
            sessions, after = sessions + step.deleted, step.last
