"""The tasks that open a stage's partitions. Nobody awaits them, so a failure is handed on."""

import asyncio
from collections.abc import Awaitable, Callable


class Loading:
    """Event loop only."""

    def __init__(self, name: str, failed: Callable[[Exception], None]) -> None:
        self._name = name
        self._failed = failed
        self._tasks: set[asyncio.Task[None]] = set()

    def begin(self, load: Callable[[], Awaitable[None]]) -> None:
        task = asyncio.create_task(self._guarded(load), name=self._name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def stop(self) -> None:
        """Cancel those that are under way, and return when they have ended."""
        tasks = set(self._tasks)
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _guarded(self, load: Callable[[], Awaitable[None]]) -> None:
        try:
            await load()
        except Exception as error:
            self._failed(error)
