"""Publishes the consequences of a partition's records in the records' order, however long each of them takes.

Those that are ready are sent and acknowledged together. While the broker is away they are sent again, without a limit,
and everything behind them waits. A record that its topic is too narrow for is replaced by a smaller one.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from andon.backoff import Backoff
from andon.errors import RetryableError, TooLargeError
from andon.events import Emit, Retrying
from andon.messages import RecordRef
from andon.process.tracing import Trace
from andon.stream.publisher import Publisher
from andon.wire import Outgoing

MAX_GROUP = 64
"""Publications that are sent and acknowledged together."""


@dataclass(frozen=True, slots=True)
class Publication:
    """The consequences of one record."""

    sends: tuple[tuple[str, Outgoing], ...]
    """(topic, record), in order."""
    settled: Callable[[], None]
    """Called once, after the broker has acknowledged all of `sends`."""
    smaller: "Callable[[TooLargeError], Publication] | None" = None
    """Its substitute where a topic takes no record of this size. None: nothing smaller will do."""

    def after(self, topic: str, record: Outgoing) -> "Publication":
        """The same, with `record` before it."""
        smaller = self.smaller
        replaced = None if smaller is None else lambda error: smaller(error).after(topic, record)
        return Publication(((topic, record), *self.sends), self.settled, replaced)

    def traced(self, trace: Trace) -> "Publication":
        """The same; once the broker has acknowledged it, the worker's part of the frame's way ends."""
        smaller = self.smaller

        def settled() -> None:
            self.settled()
            trace.step("publish")
            trace.end()

        replaced = None if smaller is None else lambda error: smaller(error).traced(trace)
        return Publication(self.sends, settled, replaced)


Spawn = Callable[[Coroutine[Any, Any, Any], str], asyncio.Task[Any]]
"""Starts a named task. A failure of the task ends the process."""


@dataclass(frozen=True, slots=True)
class Outlet:
    """Where publications go, and who runs the tasks that send them."""

    publisher: Publisher
    spawn: Spawn
    emit: Emit
    backoff: Backoff = field(default_factory=lambda: Backoff(most_s=5.0))


class _Send(NamedTuple):
    number: int
    """Of its publication in the group."""
    topic: str
    record: Outgoing


class OrderedPublisher:
    """Publishes for one partition. Event loop only."""

    def __init__(self, outlet: Outlet, name: str) -> None:
        """`name`: of the task that publishes."""
        self._outlet = outlet
        self._name = name
        self._waiting: deque[asyncio.Task[Publication]] = deque()
        self._publishing: asyncio.Task[None] | None = None

    def add(self, publication: asyncio.Task[Publication]) -> None:
        """It is published after all that were added before."""
        self._waiting.append(publication)
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
            await self._deliver(group)
            for publication in group:
                publication.settled()
        self._publishing = None

    async def _deliver(self, group: list[Publication]) -> None:
        """Send all of them, again from the first that failed: a repeat is recognised by its id, a gap would be a loss.

        A publication that was too large is replaced in `group`.
        """
        attempt = 0
        sends = _sends(group, 0)
        while sends:
            acknowledged, failure = await self._send(sends)
            sends = sends[acknowledged:]
            if isinstance(failure, TooLargeError):
                index = sends[0].number
                group[index] = _smaller(group[index], failure)
                sends = _sends(group, index)
            elif failure is not None:
                attempt += 1
                delay_s = self._outlet.backoff.delay_s(attempt)
                self._outlet.emit(Retrying("publish inspections", str(failure), attempt, delay_s))
                await asyncio.sleep(delay_s)

    async def _send(self, sends: Sequence[_Send]) -> tuple[int, RetryableError | TooLargeError | None]:
        """How many from the first on were acknowledged without a gap, and why the next one was not."""
        sent: list[Awaitable[RecordRef]] = []
        refused: RetryableError | TooLargeError | None = None
        try:
            for _, topic, record in sends:
                sent.append(await self._outlet.publisher.send(topic, record))
        except (RetryableError, TooLargeError) as error:
            refused = error
        first: tuple[int, RetryableError | TooLargeError] | None = None
        for index, acknowledgement in enumerate(sent):  # one after the other: gathering would make a task of each
            try:
                await acknowledgement
            except (RetryableError, TooLargeError) as error:
                first = first or (index, error)
        return first or (len(sent), refused)


def _sends(group: Sequence[Publication], first: int) -> list[_Send]:
    """All sends of the group, from the publication `first` on."""
    return [
        _Send(index, topic, record)
        for index, publication in enumerate(group[first:], first)
        for topic, record in publication.sends
    ]


def _smaller(publication: Publication, error: TooLargeError) -> Publication:
    if publication.smaller is None:
        raise error
    return publication.smaller(error)
