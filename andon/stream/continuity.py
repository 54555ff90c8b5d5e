"""Notices that the broker has lost the end of a log under its reader, and finds where the log goes on.

It happens when a broker comes back with a disk of earlier (a power cut, a restored snapshot), when a replica leads that
had not copied everything (an unclean election), and when a topic is deleted and made again. The client says nothing: it
begins again at the first record, or, if the log has grown meanwhile, goes on where it was and leaves out what
was appended below.

Every one of these breaks the connection to the partition's leader, or changes the leader. So after each new connection
the broker is asked whether the record that was read last is still there. Records have the time at which the broker
appended them, and the broker finds records by their time.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

from andon.backoff import Retrier
from andon.errors import RetryableError
from andon.stream.consumer import Consumer
from andon.stream.lanes import Lane
from andon.stream.offsets import Partition
from andon.stream.step import Cut
from andon.wire import Record

T = TypeVar("T")
AGAIN_MS = 5_000
"""Records of this time before the cut are read again: the clocks of two brokers differ."""


@dataclass(frozen=True, slots=True)
class LastRead:
    """How far a partition was read when its lane was closed."""

    position: int
    """The offset after the last record."""
    timestamp_ms: int | None
    """Of the last record. None: no record was read from this lane."""
    went_on_at: int | None
    """The offset below `position` at which the client went on: the log has lost its end. None: that is not known."""


class Continuity:
    """Of the partitions of one stage. Event loop only."""

    def __init__(self, consumer: Consumer, retrier: Retrier, timeout_s: float) -> None:
        """`timeout_s`: how long the broker may take for an answer."""
        self._consumer = consumer
        self._retrier = retrier
        self._timeout_s = timeout_s
        self._left: dict[Partition, LastRead] = {}

    def proven(self, lane: Lane, first: Record) -> bool:
        """Whether `first` follows on the record that was read last, without a question to the broker."""
        if first.offset < lane.position:
            return False
        connection = self._consumer.connection(lane.partition)
        if lane.last_timestamp_ms is None:
            lane.connection = connection
        return connection is lane.connection

    async def holds(self, lane: Lane, first: Record) -> bool:
        """Whether the log still holds what was read from it before `first`, which was just taken.

        Raises RetryableError where the broker does not answer.
        """
        connection = self._consumer.connection(lane.partition)
        if first.offset < lane.position or not await self._in_time(lambda: self._holds(lane.partition, _last(lane))):
            return False
        lane.connection = connection
        return True

    def leave(self, lane: Lane, went_on_at: int | None = None) -> None:
        """The lane is closed. If the group assigns the partition again, `cuts` knows what was read from it."""
        self._left[lane.partition] = replace(_last(lane), went_on_at=went_on_at)

    def assigned(self, partitions: Collection[Partition]) -> None:
        """The group assigned these, and no others: another member reads on where this one has left a partition."""
        self._left = {partition: last for partition, last in self._left.items() if partition in partitions}

    def opened(self, partition: Partition) -> None:
        """It is read again."""
        self._left.pop(partition, None)

    async def cuts(self, partitions: Collection[Partition]) -> Mapping[Partition, Cut]:
        """Those of these partitions that were left, and whose log has lost its end since. Waits for the broker.

        The group may assign them anew on the same occasion: a broker that comes back may have lost the group, too.
        """
        left = {partition: self._left[partition] for partition in sorted(partitions) if partition in self._left}
        found = {partition: await self._cut_in_time(partition, last) for partition, last in left.items()}
        return {partition: cut for partition, cut in found.items() if cut is not None}

    async def _cut_in_time(self, partition: Partition, last: LastRead) -> Cut | None:
        return await self._retrier.insist(
            "the log's continuity", lambda: self._in_time(lambda: self._cut(partition, last))
        )

    async def _cut(self, partition: Partition, last: LastRead) -> Cut | None:
        if last.went_on_at is None and await self._holds(partition, last):
            return None
        if last.timestamp_ms is None:
            again = new = last.went_on_at or 0
        else:
            new = await self._consumer.offset_since(partition, last.timestamp_ms + 1)
            again = await self._consumer.offset_since(partition, last.timestamp_ms - AGAIN_MS)
        if min(again, new) >= last.position and last.went_on_at is not None:  # the broker's clock was set back
            again = new = last.went_on_at
        return Cut(range(min(new, last.position), last.position), min(again, new, last.position))

    async def _holds(self, partition: Partition, last: LastRead) -> bool:
        if last.timestamp_ms is None:
            return True
        return await self._consumer.holds(partition, last.position - 1, last.timestamp_ms)

    async def _in_time(self, call: Callable[[], Awaitable[T]]) -> T:
        try:
            async with asyncio.timeout(self._timeout_s):
                return await call()
        except TimeoutError:
            raise RetryableError(f"no answer within {self._timeout_s:g} s") from None


def _last(lane: Lane) -> LastRead:
    return LastRead(lane.position, lane.last_timestamp_ms, None)
