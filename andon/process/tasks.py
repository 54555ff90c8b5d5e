"""What the tasks of a process share: waking a loop at its stop, and the error of a group that a user can mend."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from andon.errors import AndonError


@contextmanager
def wake_at_stop(stop: asyncio.Event, wake: Callable[[], None], name: str) -> Iterator[asyncio.Task[None]]:
    """Calls `wake` when `stop` is set, for a loop that waits for something else. Yields the task that waits.

    The task ends with the block. `name` is the loop's: it names the task in a debugger.
    """

    async def wait() -> None:
        await stop.wait()
        wake()

    task = asyncio.create_task(wait(), name=f"{name}.stop")
    try:
        yield task
    finally:
        task.cancel()


def first_andon_error(group: BaseExceptionGroup[BaseException]) -> AndonError | None:
    """The first of the group's errors, if all of them are AndonErrors, whose text a user can read."""
    ours, rest = group.split(AndonError)
    first: BaseException | None = None if rest else ours
    while isinstance(first, BaseExceptionGroup):
        first = first.exceptions[0]
    return first if isinstance(first, AndonError) else None
