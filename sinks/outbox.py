"""The outbox's way out: what the account has written down leaves here, in order for each channel.

One task a channel, so that one that is down delays no other. An item is marked as sent after the outside has
acknowledged it; a crash in between sends it again, and the channel recognises it by its event's id. What is down is
tried for ever. Only an item that can never leave (poison) is given up, said aloud, so that it blocks nobody.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from andon.backoff import Backoff
from andon.clock import Clock
from andon.errors import DecodeError, PoisonError, RetryableError
from andon.events import AlertSent, Emit, OutboxGivenUp, SinkFailed, SinkWrote
from andon.process.metrics import Reading
from sinks.channels.channel import Channel, OutboxStore, SinkBusy
from sinks.channels.payload import event_of
from sinks.outbox_item import OutboxItem

COUNT_S = 0.5
"""Between two countings of what waits: a gauge is not read more often, and a count costs as much as a send."""


@dataclass(frozen=True, slots=True)
class DispatchLimits:
    read_items: int = 100
    """So many are read from the store at a time."""
    send_timeout_s: float = 30.0
    unexpected_attempts: int = 10
    """An item that made its channel fail so often in a way that nobody foresaw is taken for poison."""
    backoff: Backoff = field(default_factory=lambda: Backoff(first_s=0.2, most_s=10.0))
    """Its longest delay is below run.drain_s, so that a stopping process tries at least once more."""
    pause: Callable[[float], Awaitable[object]] = asyncio.sleep


@dataclass(slots=True, eq=False)
class _Shared:
    """What every lane needs."""

    store: OutboxStore
    clock: Clock
    emit: Emit
    limits: DispatchLimits
    owned: frozenset[int] = frozenset()
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    """Something was put into the outbox or has left it."""


class Dispatcher:
    """Sends what waits in the outbox of the partitions that this process owns."""

    def __init__(
        self,
        store: OutboxStore,
        channels: Sequence[Channel],
        clock: Clock,
        emit: Emit,
        limits: DispatchLimits = DispatchLimits(),
    ) -> None:
        self._shared = _Shared(store, clock, emit, limits)
        self._lanes = [_Lane(channel, self._shared) for channel in channels]
        self._waiting: Mapping[str, tuple[int, datetime | None]] = {}

    def own(self, partitions: frozenset[int]) -> None:
        """Take these partitions' items from now on, and no others'."""
        self._shared.owned = partitions
        self.wake()

    def wake(self) -> None:
        """Say that items were put into the outbox. Cheap; call it after the transaction, from the loop's thread."""
        for lane in self._lanes:
            lane.woken.set()
        self._shared.changed.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Send until `stop`, then what is left. Returns when nothing waits, or is cancelled by the drain deadline.

        Set `stop` after the last transaction. What has not left by the end stays in the outbox. Raises what the
        store raises, unless it is a RetryableError.
        """
        async with asyncio.TaskGroup() as aside:
            tasks = [
                aside.create_task(self._wake_at(stop), name="outbox.stop"),
                aside.create_task(self._count(), name="outbox.depth"),
            ]
            async with asyncio.TaskGroup() as lanes:
                for lane in self._lanes:
                    lanes.create_task(lane.run(stop), name=f"outbox.{lane.name}")
            for task in tasks:
                task.cancel()

    def depths(self) -> list[Reading]:
        """How many items wait, by channel: for the gauge `andon_sinks_outbox_depth_records`."""
        return [((lane.name,), float(self._waiting.get(lane.name, (0, None))[0])) for lane in self._lanes]

    def ages(self) -> list[Reading]:
        """Seconds since the oldest item was put there, by channel: for `andon_sinks_outbox_age_seconds`."""
        return [((lane.name,), self._age_s(lane.name)) for lane in self._lanes]

    def _age_s(self, channel: str) -> float:
        oldest = self._waiting.get(channel, (0, None))[1]
        return max(0.0, (self._shared.clock.now() - oldest).total_seconds()) if oldest else 0.0

    async def _wake_at(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self.wake()

    async def _count(self) -> None:
        while True:
            await self._shared.changed.wait()
            self._shared.changed.clear()
            try:
                self._waiting = await self._shared.store.depth(self._shared.owned)
            except RetryableError:
                continue  # the store is busy: the lanes say so, and have it counted anew when they get on
            await asyncio.sleep(COUNT_S)


class _Lane:
    """One channel's way out."""

    def __init__(self, channel: Channel, shared: _Shared) -> None:
        self.name = channel.name
        self.woken = asyncio.Event()
        self._channel = channel
        self._shared = shared
        self._limits = shared.limits
        self._failures = 0
        self._done: list[int] = []
        """Left or given up, and not yet marked in the store."""

    async def run(self, stop: asyncio.Event) -> None:
        while True:
            self.woken.clear()
            if await self._send_waiting() or self.woken.is_set():
                continue
            if stop.is_set():  # what was put there before had set `woken`
                return
            await self.woken.wait()

    async def _send_waiting(self) -> bool:
        """Send what one reading of the store gives; False if it gave all. A failure's back-off is waited here."""
        try:
            await self._mark()
            owned = self._shared.owned
            items = await self._shared.store.waiting(self.name, owned, self._limits.read_items)
            await self._send(items, owned)
        except RetryableError as error:
            await self._back_off(error)
            return True
        return len(items) >= self._limits.read_items

    async def _send(self, items: Sequence[OutboxItem], owned: frozenset[int]) -> None:
        """Up to where a partition comes or goes meanwhile: one that went and came back would leave with a gap."""
        try:
            for item in items:
                if self._shared.owned is not owned:
                    return  # what waits is read anew
                await self._send_one(item)
        finally:
            await self._mark()

    async def _send_one(self, item: OutboxItem) -> None:
        begun_s = self._shared.clock.monotonic()
        try:
            async with asyncio.timeout(self._limits.send_timeout_s):
                await self._channel.send(item)
        except PoisonError as error:
            self._give_up(item, str(error))
        except RetryableError:
            await self._failed(item)
            raise
        except TimeoutError:
            await self._failed(item)
            raise SinkBusy(f"no acknowledgement within {self._limits.send_timeout_s:g} s", 0.0) from None
        except Exception as error:  # the record's boundary: counted, tried again, at last given up
            await self._unforeseen(item, error)
        else:
            self._sent(item, self._shared.clock.monotonic() - begun_s)

    def _sent(self, item: OutboxItem, seconds: float) -> None:
        self._failures = 0
        self._done.append(item.id)
        self._shared.emit(SinkWrote(self.name, seconds))
        at = _alert_time(item)
        if at is not None:
            self._shared.emit(AlertSent(self.name, item.event_id, (self._shared.clock.now() - at).total_seconds()))

    def _give_up(self, item: OutboxItem, why: str) -> None:
        self._done.append(item.id)
        self._shared.emit(OutboxGivenUp(self.name, item.event_id, why))

    async def _unforeseen(self, item: OutboxItem, error: Exception) -> None:
        why = f"{type(error).__name__}: {' '.join(str(error).split())[:200]}"
        if item.attempts + 1 >= self._limits.unexpected_attempts:
            self._give_up(item, why)
            return
        await self._failed(item)
        raise SinkBusy(f"{item.event_id}: {why}", 0.0) from error

    async def _failed(self, item: OutboxItem) -> None:
        try:
            await self._shared.store.failed([item.id])
        except RetryableError:
            pass  # the count of attempts is not worth a back-off of its own

    async def _mark(self) -> None:
        """Tell the store what has left. Until that succeeds nothing more is read, so nothing is sent twice."""
        if self._done:
            await self._shared.store.sent(list(self._done))
            self._done.clear()
            self._shared.changed.set()

    async def _back_off(self, error: RetryableError) -> None:
        self._failures += 1
        delay_s = max(error.retry_after_s, self._limits.backoff.delay_s(self._failures))
        self._shared.emit(SinkFailed(self.name, str(error), delay_s))
        await self._limits.pause(delay_s)


def _alert_time(item: OutboxItem) -> datetime | None:
    """When the frame behind an alert was captured; None for what is no alert (evidence)."""
    try:
        return event_of(item).at
    except DecodeError:
        return None
