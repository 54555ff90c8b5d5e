"""Ctrl-C and SIGTERM: the first one asks to stop, the second one forces it."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Self

NUMBERS = (signal.SIGINT, signal.SIGTERM)
FORCED = 130
"""The exit code after a second signal, the same as after Ctrl-C."""


class Interrupt:
    """`with Interrupt(on_first) as interrupt:` inside a task, which the second signal cancels."""

    def __init__(self, on_first: Callable[[], None]) -> None:
        """`on_first` is called at the first signal."""
        self.requested = asyncio.Event()
        self._on_first = on_first
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.current_task()

    def __enter__(self) -> Self:
        for number in NUMBERS:
            self._loop.add_signal_handler(number, self._on)
        return self

    def __exit__(self, *exc: object) -> None:
        for number in NUMBERS:
            self._loop.remove_signal_handler(number)

    def _on(self) -> None:
        if self.requested.is_set():
            assert self._task is not None, "entered in a task"
            self._task.cancel()
            return
        self.requested.set()
        self._on_first()

    async def before(self, work: Coroutine[Any, Any, None]) -> bool:
        """Run `work` until it is done or the first signal comes. Whether it is done; raises what it raises."""
        working = asyncio.create_task(work, name="interruptible")
        requested = asyncio.create_task(self.requested.wait(), name="interrupt")
        try:
            await asyncio.wait({working, requested}, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                working.result()
            return working.done()
        finally:
            working.cancel()
            requested.cancel()
            await asyncio.gather(working, requested, return_exceptions=True)


@asynccontextmanager
async def alongside(*work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run `work` beside the block and cancel it at the end. An error in it fails the block."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(each, name=f"alongside.{number}") for number, each in enumerate(work)]
        yield
        for task in tasks:
            task.cancel()


def run(main: Coroutine[Any, Any, int]) -> int:
    """`asyncio.run`, with the exit code FORCED if a second signal cancelled it."""
    try:
        return asyncio.run(main)
    except (asyncio.CancelledError, KeyboardInterrupt):
        return FORCED
