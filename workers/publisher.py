"""Publishes what comes of a partition's records in the order of the records, however their handling overtook.

What is ready is sent together and acknowledged together; while the broker is away it is sent again, for ever, and what
came after it waits.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any

from andon.backoff import Backoff
from andon.errors import RetryableError
from andon.events import Emit, Retrying
from andon.messages import RecordRef
from andon.stream.publisher import Publisher
from andon.wire import Outgoing

MAX_GROUP = 64
"""Results sent and acknowledged together."""


@dataclass(frozen=True, slots=True)
class Result:
    """What comes of one record."""

    sends: tuple[tuple[str, Outgoing], ...]
    """(topic, record), in order."""
    settled: Callable[[], None]
    """Called once, after the broker has acknowledged all of `sends`."""


Spawn = Callable[[Coroutine[Any, Any, Any], str], asyncio.Task[Any]]
"""Starts a named task that is guarded by somebody: its failure ends the process."""


@dataclass(frozen=True, slots=True)
class Outlet:
    """Where results go, and who runs what publishes them."""

    publisher: Publisher
    spawn: Spawn
    emit: Emit
    backoff: Backoff = field(default_factory=lambda: Backoff(most_s=5.0))


class OrderedPublisher:
    """Publishes the results of one partition. Event loop only."""

    def __init__(self, outlet: Outlet, name: str) -> None:
        """`name`: of the task that publishes."""
        self._outlet = outlet
        self._name = name
        self._waiting: deque[asyncio.Task[Result]] = deque()
        self._publishing: asyncio.Task[None] | None = None

    def add(self, result: asyncio.Task[Result]) -> None:
        """`result` is published after all that were added before."""
        self._waiting.append(result)
        if self._publishing is None:
            self._publishing = self._outlet.spawn(self._publish(), self._name)

    async def drain(self) -> None:
        """Return when nothing waits any more."""
        if self._publishing is not None:
            await asyncio.wait({self._publishing})

    def discard(self) -> None:
        """Publish nothing more, and let nothing more become ready."""
        for task in (self._publishing, *self._waiting):
            if task is not None:
                task.cancel()

    async def _publish(self) -> None:
        while self._waiting:
            group = [await self._waiting[0]]
            self._waiting.popleft()
            while self._waiting and self._waiting[0].done() and len(group) < MAX_GROUP:
                group.append(self._waiting.popleft().result())
            await self._deliver([send for result in group for send in result.sends])
            for result in group:
                result.settled()
        self._publishing = None

    async def _deliver(self, sends: Sequence[tuple[str, Outgoing]]) -> None:
        """All of them, again from the first that failed: a repeat is recognised by its id, a gap would be a loss."""
        attempt, done = 0, 0
        while done < len(sends):
            acknowledged, failure = await self._send(sends[done:])
            done += acknowledged
            if failure is not None:
                attempt += 1
                delay_s = self._outlet.backoff.delay_s(attempt)
                self._outlet.emit(Retrying("publish inspections", str(failure), attempt, delay_s))
                await asyncio.sleep(delay_s)

    async def _send(self, sends: Sequence[tuple[str, Outgoing]]) -> tuple[int, RetryableError | None]:
        """How many from the first on were acknowledged without a gap, and why the next one was not."""
        sent: list[Awaitable[RecordRef]] = []
        refused: RetryableError | None = None
        try:
            for topic, record in sends:
                sent.append(await self._outlet.publisher.send(topic, record))
        except RetryableError as error:
            refused = error
        first: tuple[int, RetryableError] | None = None
        for index, acknowledgement in enumerate(sent):  # one after the other: gathering would make a task of each
            try:
                await acknowledgement
            except RetryableError as error:
                first = first or (index, error)
        return first or (len(sent), refused)
