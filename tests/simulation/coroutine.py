"""A coroutine that the simulation steps from await to await. It can interrupt, stop or kill it at each of them."""

import asyncio
from asyncio import events
from collections.abc import Coroutine, Generator
from typing import Any, cast


class _Pause:
    """An await at which other processes may run first, or the process may end."""

    def __await__(self) -> Generator[None, None, None]:
        yield


PAUSE = _Pause()


class _Loop:
    """The part of an event loop that an asyncio.Event needs in a coroutine that no loop runs."""

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=cast(asyncio.AbstractEventLoop, self))

    def get_debug(self) -> bool:
        return False


LOOP = cast(asyncio.AbstractEventLoop, _Loop())


class SteppedCoroutine:
    def __init__(self, work: Coroutine[Any, Any, object]) -> None:
        self._work = work
        self._awaited: asyncio.Future[Any] | None = None
        self.ended = False

    @property
    def waits(self) -> bool:
        """Whether the coroutine waits for a future that is not done."""
        return self._awaited is not None and not self._awaited.done()

    def step(self) -> None:
        """Run to the next await, unless the coroutine has ended or waits. Raises what the coroutine raises."""
        if self.ended or self.waits:
            return
        events._set_running_loop(LOOP)
        try:
            self._awaited = self._work.send(None)
        except StopIteration:
            self.ended = True
        finally:
            events._set_running_loop(None)

    def cancel(self) -> None:
        """Close the coroutine where it stands. Its `finally` blocks must not await anything."""
        self.ended = True
        self._work.close()
