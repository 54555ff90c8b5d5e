"""The outbox's way out: sends what the account has stored, in order for each channel and partition.

Each channel has a queue of its own, and each partition in it a lane, so that what is down or slow delays nothing else.
An item is deleted after the outside has acknowledged it; a crash in between sends it again, and the channel recognises
it by its event's id. A channel that is away is tried for ever. An item is given up, and the log says so, if it can
never leave, if it is older than its channel allows, or if its channel is switched off.
"""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial

from andon.clock import Clock
from andon.errors import RetryableError
from andon.events import Emit, OutboxGivenUp
from andon.process.metrics import Reading
from andon.process.progress import Work
from andon.process.tasks import wake_at_stop
from andon.process.tracing import Tracing
from sinks.channels.channel import OutboxStore
from sinks.outbox_queue import ChannelQueue, DispatchLimits, NamedChannel, QueueContext

COUNT_S = 0.5
"""Interval between two counts of what waits. A gauge is not read more often, and a count costs as much as a send."""
TIDY_S = 60.0
"""Interval between two looks for items of channels that are switched off."""
SWITCHED_OFF_S = 600.0
"""Age at which an item of a channel that is not configured is given up. While settings change one sink after the
other, another sink may have the channel already or still; ten minutes are longer than such a change takes."""


class Dispatcher:
    """Sends what waits in the outbox of the partitions that this process owns. Event loop only."""

    def __init__(
        self,
        store: OutboxStore,
        channels: Sequence[NamedChannel],
        clock: Clock,
        emit: Emit,
        limits: DispatchLimits | None = None,
        tracing: Tracing | None = None,
    ) -> None:
        self._shared = QueueContext(store, clock, emit, limits or DispatchLimits(), tracing=tracing)
        self._queues = [ChannelQueue(named, self._shared) for named in channels]
        self._waiting: Mapping[str, tuple[int, datetime | None]] = {}
        self._taken_over = asyncio.Event()

    def own(self, partitions: frozenset[int]) -> None:
        """From now on send the items of these partitions, and of no others."""
        self._shared.owned = partitions
        for queue in self._queues:
            queue.own(partitions)
        self._taken_over.set()
        self.wake()

    @property
    def owned(self) -> frozenset[int]:
        """The partitions whose items it sends now."""
        return self._shared.owned

    def wake(self, channels: Collection[str] | None = None) -> None:
        """Say that items of these channels were put into the outbox; None: perhaps of any.

        Each of these channels reads the store. Call it after the transaction, from the loop's thread.
        """
        for queue in self._queues:
            if channels is None or queue.name in channels:
                queue.wake()
        self._shared.changed.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Send until `stop`, then what is left. Returns when nothing waits, or is cancelled by the drain deadline.

        Set `stop` after the last transaction. What has not left by the end stays in the outbox. Raises what the
        store raises, unless it is a RetryableError.
        """
        with wake_at_stop(stop, self.wake, "outbox"):
            async with asyncio.TaskGroup() as aside:
                counting = aside.create_task(self._count(), name="outbox.depth")
                tidying = aside.create_task(self._tidy(), name="outbox.tidy")
                async with asyncio.TaskGroup() as queues:
                    for queue in self._queues:
                        queues.create_task(queue.run(stop), name=f"outbox.{queue.name}")
                counting.cancel()
                tidying.cancel()

    @property
    def work(self) -> Sequence[tuple[str, Callable[[], Work]]]:
        """By channel: how to look at what waits for it."""
        return [(queue.name, partial(self._work, queue)) for queue in self._queues]

    def _work(self, queue: ChannelQueue) -> Work:
        waits = queue.busy or self._waiting.get(queue.name, (0, None))[0] > 0
        if queue.named.delay_s:  # an item that is not due is no work yet
            waits = waits and self._age_s(queue) > 0
        return Work(queue.sent, waits)

    def depths(self) -> list[Reading]:
        """How many items wait, by channel: for the gauge `andon_sinks_outbox_depth_records`."""
        return [((queue.name,), float(self._waiting.get(queue.name, (0, None))[0])) for queue in self._queues]

    def ages(self) -> list[Reading]:
        """Seconds since the oldest item could be sent, by channel: for `andon_sinks_outbox_age_seconds`."""
        return [((queue.name,), self._age_s(queue)) for queue in self._queues]

    def _age_s(self, queue: ChannelQueue) -> float:
        oldest, delay_s = self._waiting.get(queue.name, (0, None))[1], queue.named.delay_s
        return max(0.0, (self._shared.clock.now() - oldest).total_seconds() - delay_s) if oldest else 0.0

    async def _count(self) -> None:
        while True:
            await self._shared.changed.wait()
            self._shared.changed.clear()
            try:
                self._waiting = await self._shared.store.depth(self._shared.owned)
            except RetryableError:
                continue  # the store is busy: the queues say so, and have it counted again when they get on
            await asyncio.sleep(COUNT_S)

    async def _tidy(self) -> None:
        """Give up what belongs to channels that are switched off: at each take-over, and each minute."""
        while True:
            self._taken_over.clear()
            await self._give_up_switched_off()
            try:
                async with asyncio.timeout(TIDY_S):
                    await self._taken_over.wait()
            except TimeoutError:
                pass  # a minute has passed

    async def _give_up_switched_off(self) -> None:
        shared, channels = self._shared, frozenset(queue.name for queue in self._queues)
        if not shared.owned:
            return
        before = shared.clock.now() - timedelta(seconds=SWITCHED_OFF_S)
        try:
            counts = await shared.store.give_up_others(channels, shared.owned, before)
        except RetryableError:
            return  # the store is busy: the queues say so
        for channel, count in sorted(counts.items()):
            why = f"no channel of this name is configured; older than {SWITCHED_OFF_S:g} s"
            shared.emit(OutboxGivenUp(channel, "", why, count))
