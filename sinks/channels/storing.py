"""The thread on which a channel makes and stores its files: what hangs there holds up nothing else."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from andon.process.watchdog import NO_LIMIT, TimeLimit
from sinks.channels.channel import SinkBusy
from sinks.channels.files import FilesBusy

BUSY_RETRY_S = 5.0
"""Pause before the next write to a storage that is full or away."""
Result = TypeVar("Result")


class StoringThread:
    """Runs one piece of work at a time, within its time limit. `close` ends it."""

    def __init__(self, name: str, limit: TimeLimit = NO_LIMIT) -> None:
        """`limit` is entered for each piece of work."""
        self._thread = ThreadPoolExecutor(1, name)
        self._limit = limit
        self._under_way: Future[Any] | None = None
        self._turn = asyncio.Lock()

    def close(self) -> None:
        """Returns at once, also while a write hangs."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def run(self, work: Callable[[], Result]) -> Result:
        """What `work` returns, which waits for earlier work.

        Raises SinkBusy for a storage that is busy, or while work has not returned for which nobody waits any more.
        """
        async with self._turn:
            return await self._run(work)

    async def _run(self, work: Callable[[], Result]) -> Result:
        if self._under_way is not None and not self._under_way.done():
            raise SinkBusy("the last write has not returned yet: does the evidence folder hang?", BUSY_RETRY_S)
        future = self._thread.submit(self._limited, work)
        self._under_way = future
        try:
            return await asyncio.wrap_future(future)
        except FilesBusy as error:
            raise SinkBusy(str(error), BUSY_RETRY_S) from None

    def _limited(self, work: Callable[[], Result]) -> Result:
        with self._limit():
            return work()
