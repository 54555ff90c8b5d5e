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
from andon.stream.offsets import Partition
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


@dataclass(slots=True, eq=False)
class _Lane:
    waiting: deque[asyncio.Task[Result]] = field(default_factory=deque)
    publishing: asyncio.Task[None] | None = None


class OrderedPublishing:
    """A lane for each partition. Event loop only."""

    def __init__(self, publisher: Publisher, spawn: Spawn, emit: Emit, backoff: Backoff | None = None) -> None:
        self._publisher = publisher
        self._spawn = spawn
        self._emit = emit
        self._backoff = backoff or Backoff(most_s=5.0)
        self._lanes: dict[Partition, _Lane] = {}

    def add(self, partition: Partition, result: asyncio.Task[Result]) -> None:
        """`result` is published after all that were added to its partition before."""
        lane = self._lanes.setdefault(partition, _Lane())
        lane.waiting.append(result)
        if lane.publishing is None:
            name = f"worker.publish.{partition.partition}"
            lane.publishing = self._spawn(self._publish(partition, lane), name)

    async def drain(self, partitions: frozenset[Partition]) -> None:
        """Return when nothing of these waits any more; cancelled, forget what does."""
        lanes = [self._lanes[partition] for partition in partitions if partition in self._lanes]
        publishing = [lane.publishing for lane in lanes if lane.publishing is not None]
        if not publishing:
            return
        try:
            await asyncio.wait(publishing)
        except asyncio.CancelledError:
            for partition in partitions:
                self._forget(partition)
            raise

    async def _publish(self, partition: Partition, lane: _Lane) -> None:
        while lane.waiting:
            group = [await lane.waiting[0]]
            lane.waiting.popleft()
            while lane.waiting and lane.waiting[0].done() and len(group) < MAX_GROUP:
                group.append(lane.waiting.popleft().result())
            await self._deliver([send for result in group for send in result.sends])
            for result in group:
                result.settled()
        if self._lanes.get(partition) is lane:
            del self._lanes[partition]

    async def _deliver(self, sends: Sequence[tuple[str, Outgoing]]) -> None:
        """All of them, again from the first that failed: a repeat is recognised by its id, a gap would be a loss."""
        attempt, done = 0, 0
        while done < len(sends):
            acknowledged, failure = await self._send(sends[done:])
            done += acknowledged
            if failure is not None:
                attempt += 1
                delay_s = self._backoff.delay_s(attempt)
                self._emit(Retrying("publish inspections", str(failure), attempt, delay_s))
                await asyncio.sleep(delay_s)

    async def _send(self, sends: Sequence[tuple[str, Outgoing]]) -> tuple[int, RetryableError | None]:
        """How many from the first on were acknowledged without a gap, and why the next one was not."""
        sent: list[Awaitable[RecordRef]] = []
        refused: RetryableError | None = None
        try:
            for topic, record in sends:
                sent.append(await self._publisher.send(topic, record))
        except RetryableError as error:
            refused = error
        first: tuple[int, RetryableError] | None = None
        for index, acknowledgement in enumerate(sent):  # one after the other: gathering would make a task of each
            try:
                await acknowledgement
            except RetryableError as error:
                first = first or (index, error)
        return first or (len(sent), refused)

    def _forget(self, partition: Partition) -> None:
        lane = self._lanes.pop(partition, None)
        if lane is None:
            return
        for task in (lane.publishing, *lane.waiting):
            if task is not None:
                task.cancel()
