"""A coroutine driven by hand, from await to await, so that it can be interrupted, stopped or killed at each of them."""

import asyncio
from asyncio import events
from collections.abc import Coroutine, Generator
from typing import Any, cast


class _Pause:
    """An await at which others may come first, or the process may end."""

    def __await__(self) -> Generator[None, None, None]:
        yield


PAUSE = _Pause()


class _Loop:
    """As much of an event loop as an asyncio.Event needs in a coroutine that nobody schedules."""

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
        """It can't go on before somebody else has done something."""
        return self._awaited is not None and not self._awaited.done()

    def step(self) -> None:
        """Go on to its next await, unless it has ended or waits. Raises what the coroutine raises."""
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
        """End it where it stands. What it does at its end must not await anything."""
        self.ended = True
        self._work.close()
