"""Ctrl-C and SIGTERM: the first one asks to stop, the second one forces it."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any, Self

NUMBERS = (signal.SIGINT, signal.SIGTERM)
FORCED = 130
"""The exit code after a second signal, as of a program that Ctrl-C ended."""


class Interrupt:
    """`with Interrupt(told) as interrupt:` inside a task, which the second signal cancels."""

    def __init__(self, told: Callable[[], None]) -> None:
        """`told` is called at the first signal."""
        self.asked = asyncio.Event()
        self._told = told
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
        if self.asked.is_set():
            assert self._task is not None, "entered in a task"
            self._task.cancel()
            return
        self.asked.set()
        self._told()

    async def before(self, work: Coroutine[Any, Any, None]) -> bool:
        """Do `work`, but no longer than until the first signal. Whether it was finished; raises what it raises."""
        doing = asyncio.create_task(work, name="interruptible")
        asked = asyncio.create_task(self.asked.wait(), name="interrupt")
        try:
            await asyncio.wait({doing, asked}, return_when=asyncio.FIRST_COMPLETED)
            if doing.done():
                doing.result()
            return doing.done()
        finally:
            doing.cancel()
            asked.cancel()
            await asyncio.gather(doing, asked, return_exceptions=True)


@asynccontextmanager
async def alongside(*work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Do `work` while the block runs, and cancel it at the block's end. What fails there fails the block."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(each, name=f"alongside.{number}") for number, each in enumerate(work)]
        yield
        for task in tasks:
            task.cancel()


def run(main: Coroutine[Any, Any, int]) -> int:
    """`asyncio.run`, with the exit code FORCED where a second signal cancelled it."""
    try:
        return asyncio.run(main)
    except (asyncio.CancelledError, KeyboardInterrupt):
        return FORCED
