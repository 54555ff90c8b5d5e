"""One channel's queue of the outbox: reads what waits, and sends it in one lane for each partition."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import groupby
from operator import attrgetter

from andon.backoff import Backoff
from andon.clock import Clock
from andon.errors import DecodeError, PoisonError, RetryableError
from andon.events import AlertSent, Emit, OutboxGivenUp, SinkFailed, SinkRefused, SinkWrote
from andon.process.tracing import Tracing
from sinks.channels.channel import Channel, OutboxStore, SinkBroken, SinkBusy
from sinks.channels.payload import event_of
from sinks.outbox_item import OutboxItem


@dataclass(frozen=True, slots=True)
class DispatchLimits:
    read_items: int = 100
    """Items read from the store at a time."""
    send_timeout_s: float = 30.0
    unexpected_attempts: int = 10
    """An item that made its channel fail this often with an unforeseen error is given up."""
    backoff: Backoff = field(default_factory=lambda: Backoff(first_s=0.2, most_s=10.0))
    """Its longest delay is below run.drain_s, so that a stopping process tries at least once more."""
    pause: Callable[[float], Awaitable[object]] = asyncio.sleep


@dataclass(frozen=True, slots=True)
class NamedChannel:
    """A channel under the name that the outbox's rows have, and the rules by which it is used."""

    name: str
    channel: Channel
    max_age_s: float | None = None
    """Age of an event, from the capture of its frame, at which it is given up instead of sent."""
    at_once: int = 32
    """Items under way at a time, each of another partition. A slow partition takes one of these places for
    `send_timeout_s` at most, so it holds up others only where this many are slow."""
    delay_s: float = 0.0
    """Seconds for which an item stays in the outbox before it is sent, because what it needs comes later. They are the
    same for all items, so that none waits behind another. A process that stops leaves items that are not due."""


@dataclass(slots=True, eq=False)
class QueueContext:
    """What every queue needs."""

    store: OutboxStore
    clock: Clock
    emit: Emit
    limits: DispatchLimits
    owned: frozenset[int] = frozenset()
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    """Something was put into the outbox or has left it."""
    tracing: Tracing | None = None


class ChannelQueue:
    """Everything that waits for one channel. Its lanes send; it alone reads and deletes the rows."""

    def __init__(self, named: NamedChannel, shared: QueueContext) -> None:
        self.name = named.name
        self.named = named
        self.shared = shared
        self.places = asyncio.Semaphore(named.at_once)
        self._woken = asyncio.Event()
        self._unread = True
        """The store may have items of free partitions that were not read yet."""
        self._lanes: dict[int, _Lane] = {}
        """By partition: those that have something to send."""
        self._done: list[int] = []
        """Items that have left or were given up, and are not yet deleted in the store."""
        self._stop = asyncio.Event()
        self._left: set[int] = set()
        """Partitions whose next item is not due before this process has stopped."""
        self._failures = 0
        self.sent = 0
        """Items that the channel has acknowledged."""

    @property
    def busy(self) -> bool:
        """Something is on its way out, or has left and is not yet deleted in the store."""
        return bool(self._lanes or self._done)

    def wake(self) -> None:
        self._unread = True
        self._woken.set()

    def own(self, partitions: frozenset[int]) -> None:
        """A lane whose partition goes sends nothing more: from now on its items are its new owner's."""
        for partition, lane in self._lanes.items():
            lane.revoked = lane.revoked or partition not in partitions

    def finish(self, item: OutboxItem) -> None:
        """The item has left or was given up: its row is deleted with the next ones."""
        self._done.append(item.id)
        self._woken.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Until `stop` is set and nothing waits that is due. Deletes what has left even when it is cancelled."""
        self._stop = stop
        try:
            async with asyncio.TaskGroup() as tasks:
                while not (stop.is_set() and self._idle):
                    await self._woken.wait()
                    self._woken.clear()
                    await self._turn(tasks)
        finally:
            try:
                await self._delete()
            except RetryableError:
                pass  # these items are sent again, and the channel recognises them

    @property
    def _idle(self) -> bool:
        return not (self._lanes or self._done or self._unread or self._woken.is_set())

    async def _turn(self, tasks: asyncio.TaskGroup) -> None:
        """Delete what has left, then read what waits. Until the first succeeds nothing is read, or sent twice."""
        try:
            await self._delete()
            await self._read(tasks)
        except RetryableError as error:
            self._failures += 1
            self._woken.set()
            await self.back_off(error, self._failures)
        else:
            self._failures = 0

    async def _delete(self) -> None:
        while self._done:  # a row that is still there would be read, and sent, again
            leaving = list(self._done)
            await self.shared.store.sent(leaving)
            del self._done[: len(leaving)]
            self.shared.changed.set()

    async def _read(self, tasks: asyncio.TaskGroup) -> None:
        if not self._unread:
            return
        shared, owned, most = self.shared, self.shared.owned, self.shared.limits.read_items
        # before the read: what comes, and which lane ends, while it is under way is looked at by the next read
        self._unread = False
        for lane in self._lanes.values():
            lane.passed_over = True
        items = await self._waiting(owned - self._lanes.keys() - self._left, most)
        if shared.owned is not owned:
            self.wake()  # read again: another owner may have sent what was read
            return
        by_partition = attrgetter("partition")
        for partition, group in groupby(sorted(items, key=by_partition), by_partition):
            self._start(tasks, partition, list(group))
        if len(items) >= most:
            self.wake()

    async def _waiting(self, partitions: frozenset[int], most: int) -> Sequence[OutboxItem]:
        try:
            return await self.shared.store.waiting(self.name, partitions, most)
        except RetryableError:
            self._unread = True
            raise

    def _start(self, tasks: asyncio.TaskGroup, partition: int, items: Sequence[OutboxItem]) -> None:
        lane = _Lane(self, items)
        self._lanes[partition] = lane

        def ended(_: asyncio.Task[None]) -> None:
            del self._lanes[partition]
            self._unread = self._unread or lane.passed_over or lane.revoked
            self._woken.set()

        tasks.create_task(lane.run(), name=f"outbox.{self.name}.{partition}").add_done_callback(ended)

    async def until_due(self, item: OutboxItem) -> bool:
        """Whether the item is due: it waits for that, unless the process stops meanwhile."""
        delay_s = self.named.delay_s
        age_s = (self.shared.clock.now() - item.created_at).total_seconds()
        left_s = min(delay_s, delay_s - age_s)  # a clock that was set back holds no item for longer
        if left_s > 0 and await self._stops_within(left_s):
            self._left.add(item.partition)
            return False
        return True

    async def _stops_within(self, delay_s: float) -> bool:
        """Pause for so long, or until the process stops; whether it does."""
        pause = asyncio.ensure_future(self.shared.limits.pause(delay_s))
        stop = asyncio.ensure_future(self._stop.wait())
        try:
            await asyncio.wait((pause, stop), return_when=asyncio.FIRST_COMPLETED)
            return not pause.done()
        finally:
            pause.cancel()
            stop.cancel()

    async def back_off(self, error: RetryableError, failures: int) -> None:
        delay_s = max(error.retry_after_s, self.shared.limits.backoff.delay_s(failures))
        event = SinkRefused if isinstance(error, SinkBroken) else SinkFailed
        self.shared.emit(event(self.name, str(error), delay_s))
        await self.shared.limits.pause(delay_s)


class _Lane:
    """Items of one partition on their way out of one channel, one after the other."""

    def __init__(self, queue: ChannelQueue, items: Sequence[OutboxItem]) -> None:
        self.revoked = False
        """The partition has another owner now, or had one in the meantime."""
        self.passed_over = False
        """The store was read without this partition while the lane was busy."""
        self._queue = queue
        self._shared = queue.shared
        self._limits = queue.shared.limits
        self._items = items

    async def run(self) -> None:
        for item in self._items:
            if not await self._queue.until_due(item):
                return
            await self._trace(item)

    async def _trace(self, item: OutboxItem) -> None:
        tracing, about = self._shared.tracing, {"channel": self._queue.name, "event": item.event_id}
        trace = None if tracing is None else tracing.delivering(item.traceparent, item.created_at, **about)
        if trace is None:
            await self._finish(item)
            return
        await self._finish(replace(item, traceparent=trace.traceparent))
        trace.end()

    async def _finish(self, item: OutboxItem) -> None:
        """Send the item, as often as that takes, or give it up. Returns early when the partition is revoked."""
        captured_at = _captured_at(item)
        failures = unforeseen = 0
        while not self.revoked:
            try:
                async with self._queue.places:
                    await self._attempt(item, captured_at)
                return
            except PoisonError as error:
                self._give_up(item, str(error))
                return
            except RetryableError as error:
                failure = error
            except Exception as error:  # the item's boundary: counted, tried again, at last given up
                why = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
                failure = SinkBusy(f"{item.event_id}: {why}", 0.0)
                unforeseen += 1
                if unforeseen >= self._limits.unexpected_attempts:
                    self._give_up(item, why)
                    return
            failures += 1
            await self._count_attempt(item)
            await self._queue.back_off(failure, failures)

    async def _attempt(self, item: OutboxItem, captured_at: datetime | None) -> None:
        if self.revoked:  # while the lane waited for its turn
            return
        timeout_s, max_age_s = self._limits.send_timeout_s, self._queue.named.max_age_s
        if captured_at is not None and max_age_s is not None:
            left_s = max_age_s - self._age_s(captured_at)
            if left_s <= 0:
                self._give_up(item, f"older than {max_age_s:g} s (sinks.channels.{self._queue.name}.max_age_s)")
                return
            timeout_s = min(timeout_s, left_s)
        begun_s = self._shared.clock.monotonic()
        try:
            async with asyncio.timeout(timeout_s):
                await self._queue.named.channel.send(item)
        except TimeoutError:
            raise SinkBusy(f"no acknowledgement within {timeout_s:g} s", 0.0) from None
        self._queue.finish(item)
        self._queue.sent += 1
        self._shared.emit(SinkWrote(self._queue.name, self._shared.clock.monotonic() - begun_s))
        if captured_at is not None:
            self._shared.emit(AlertSent(self._queue.name, item.event_id, self._age_s(captured_at)))

    def _give_up(self, item: OutboxItem, why: str) -> None:
        self._queue.finish(item)
        self._shared.emit(OutboxGivenUp(self._queue.name, item.event_id, why))

    async def _count_attempt(self, item: OutboxItem) -> None:
        try:
            await self._shared.store.failed([item.id])
        except RetryableError:
            pass  # the count of attempts is not worth a back-off of its own

    def _age_s(self, captured_at: datetime) -> float:
        return (self._shared.clock.now() - captured_at).total_seconds()


def _captured_at(item: OutboxItem) -> datetime | None:
    """When the frame behind an alert was captured; None for other items (evidence, quarantined records)."""
    try:
        return event_of(item).at
    except DecodeError:
        return None
