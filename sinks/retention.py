"""Prunes store and evidence once an hour, beside the sink's work, so that neither grows for ever."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, asynccontextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import Self

from andon.clock import Clock
from andon.errors import RetryableError
from andon.events import Emit, PruningFailed, StorePruned
from andon.process.lifecycle import Life
from andon.process.watchdog import Watchdog
from andon.settings import EvidenceSettings
from andon.stream.broker_clock import BrokerClock
from sinks.channels.evidence_retention import EvidenceRetention, FileCounts
from sinks.channels.files import Files
from sinks.store.database import opened
from sinks.store.retention import StoreRetention

FIRST_S = 60.0
"""Seconds after the start of the sink: a line that starts has other things to do."""
EVERY_S = 3600.0
"""Seconds between two passes: rows live for days."""
EVIDENCE_PARTITION = 0
"""The owner of this partition prunes the evidence: one listing of the storage is enough."""


class EarlierClock:
    """The earlier of the host's time and the line's: what is deleted by mistake does not come back."""

    def __init__(self, clock: BrokerClock) -> None:
        self._clock = clock

    def now(self) -> datetime:
        return min(self._clock.now(), self._clock.host())

    def monotonic(self) -> float:
        return self._clock.monotonic()


def prunable(clock: BrokerClock, owned: Callable[[], frozenset[int]]) -> frozenset[int]:
    """The partitions that may be pruned now: none while nobody knows the time."""
    return owned() if clock.settled else frozenset()


class EvidenceThread:
    """Runs the pruning of evidence on a thread of its own: a storage that hangs must hold up nothing else."""

    def __init__(self, retention: EvidenceRetention, keep_days: float, clock: Clock) -> None:
        self._retention = retention
        self._keep = timedelta(days=keep_days)
        self._clock = clock
        self._thread = ThreadPoolExecutor(1, "evidence-retention")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        """Does not wait for a call that hangs."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def prune(self, *, dry_run: bool = False) -> FileCounts:
        """Raises FilesBusy."""
        before = (self._clock.now() - self._keep).date()
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, lambda: self._retention.prune(before, dry_run=dry_run))


@asynccontextmanager
async def retention(life: Life, clock: BrokerClock, owned: Callable[[], frozenset[int]]) -> AsyncIterator["Retention"]:
    """A sink's retention, with a database connection and a thread of its own. Raises ConfigError, FatalError."""
    earlier = EarlierClock(clock)
    settings = life.settings.sinks
    place = settings.evidence
    limit = partial(life.watchdog.limit, "the store", settings.store_timeout_s, "sinks.store_timeout_s")
    database = await opened(settings.store.get_secret_value(), limit)
    try:
        files = EvidenceRetention(Files(place.url), place.max_bytes, partial(_limit, life.watchdog, place))
        with EvidenceThread(files, place.keep_days, earlier) as evidence:
            store = StoreRetention(database, settings.keep_days, earlier)
            yield Retention(store, evidence, partial(prunable, clock, owned), life.emit)
    finally:
        await database.close()


def _limit(watchdog: Watchdog, settings: EvidenceSettings) -> AbstractContextManager[object]:
    timeout_s = settings.prune_timeout_s
    return watchdog.limit("the retention of evidence", timeout_s, "sinks.evidence.prune_timeout_s")


class Retention:
    """The passes of one sink over what it owns."""

    def __init__(
        self,
        store: StoreRetention,
        evidence: EvidenceThread,
        owned: Callable[[], frozenset[int]],
        emit: Emit,
        pause: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        """`owned`: the partitions that the sink accounts for now. None are while it does not know the time."""
        self._store = store
        self._evidence = evidence
        self._owned = owned
        self._emit = emit
        self._pause = pause

    async def run(self) -> None:
        """Never returns; cancel it at any time."""
        await self._pause(FIRST_S)
        while True:
            await self.prune()
            await self._pause(EVERY_S)

    async def prune(self) -> None:
        """One pass. What fails is reported, and tried again in the next pass."""
        owned = self._owned()
        try:
            counts = await self._store.prune(owned)
            pictures = await self._evidence.prune() if EVIDENCE_PARTITION in owned else FileCounts()
        except RetryableError as error:
            self._emit(PruningFailed(str(error)))
            return
        if counts.rows or pictures.files:
            self._emit(StorePruned(counts.rows, pictures.files, pictures.bytes))
