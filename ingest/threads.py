"""Runs blocking work on a thread of its own and awaits its result: the event loop never waits for a camera."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

T = TypeVar("T")
_running: set[threading.Thread] = set()


def on_thread(work: Callable[[], T], name: str) -> "asyncio.Future[T]":
    """Run `work` on a new thread. It can't be cancelled; a thread that is left behind ends with the process, which must
    not wait for the interpreter then: see `still_running`."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()
    future.add_done_callback(_ignore_failure)

    def settle_future(settle: Callable[[Any], None], value: object) -> None:
        if not future.done():
            settle(value)

    def run() -> None:
        try:
            settle: tuple[Callable[[Any], None], object] = (future.set_result, work())
        except BaseException as error:  # it is raised where the future is awaited
            settle = (future.set_exception, error)
        _running.discard(threading.current_thread())
        with suppress(RuntimeError):  # the loop has ended before this thread
            loop.call_soon_threadsafe(settle_future, *settle)

    thread = threading.Thread(target=run, name=name, daemon=True)
    _running.add(thread)
    thread.start()
    return future


def still_running() -> bool:
    """Whether a thread still runs. FFmpeg and drivers crash where the interpreter ends under them: end the process with
    `andon.process.watchdog.end`."""
    return bool(_running)


async def either(*ways: "Coroutine[Any, Any, object] | asyncio.Future[Any]") -> None:
    """Return when the first of these is done, and cancel the others. Raises what the first one raised."""
    tasks = [asyncio.ensure_future(way) for way in ways]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
    failures = [error for task in done if (error := task.exception()) is not None]
    if failures:
        raise failures[0]


def _ignore_failure(future: "asyncio.Future[Any]") -> None:
    """Ignore the failure of a thread that was left behind; asyncio would print its traceback."""
    if not future.cancelled():
        future.exception()
