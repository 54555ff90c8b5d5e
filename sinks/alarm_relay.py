"""The step of the alarms' topic: hands people's requests on to the log from which their camera's account is made.

So a request has its place among the camera's records, and what it does is stored with their offset, by the camera's one
owner. A request is done when the other log has it; a crash before that hands it on again, and the account takes each
`request_id` once. The alarms themselves, which stand on the same topic, are passed over.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from andon.alarms import Alarm, AlarmRequest
from andon.errors import DecodeError, PoisonError, TooLargeError
from andon.events import Emit, RecordQuarantined
from andon.quarantine import quarantine_record
from andon.stream.offsets import Partition
from andon.stream.step import NO_CUTS, Cut, Delivery
from andon.wire import Outgoing, Record, decode, encode
from sinks.insisting import InsistingPublisher

MOST_BYTES = 100_000
"""Of a record's value that goes to the quarantine topic: far above any request."""


@dataclass(frozen=True, slots=True)
class RelayTopics:
    inspections: str
    quarantine: str


@dataclass(slots=True, eq=False)
class RelayedPartition:
    """A PartitionStep."""

    put: Callable[["RelayedPartition", Delivery], None]
    resume_at: int | None = None
    needed_from: int | None = None
    discarded: bool = False
    waiting: int = 0
    idle: asyncio.Event = field(default_factory=asyncio.Event)

    def submit(self, deliveries: Sequence[Delivery]) -> None:
        self.waiting += len(deliveries)
        self.idle.clear()
        for delivery in deliveries:
            self.put(self, delivery)

    async def drain(self) -> None:
        if self.waiting:
            await self.idle.wait()

    def discard(self) -> None:
        self.discarded = True
        self.idle.set()

    def finish(self, delivery: Delivery) -> None:
        self.waiting -= 1
        if not self.waiting:
            self.idle.set()
        if not self.discarded:
            delivery.done()


class AlarmRelay:
    """A Step, for the stage that reads the alarms' topic. Event loop only; `run` must be under way."""

    def __init__(self, publisher: InsistingPublisher, topics: RelayTopics, emit: Emit) -> None:
        self._publisher = publisher
        self._topics = topics
        self._emit = emit
        self._queue: asyncio.Queue[tuple[RelayedPartition, Delivery]] = asyncio.Queue()
        """The stage bounds how many are in it."""

    async def open(
        self, partitions: frozenset[Partition], cuts: Mapping[Partition, Cut] = NO_CUTS
    ) -> Mapping[Partition, RelayedPartition]:
        """A log that lost its end is read on; a request that was lost with it was never acknowledged as taken."""
        return {
            item: RelayedPartition(self._put, cuts[item].resume_at if item in cuts else None) for item in partitions
        }

    def _put(self, partition: RelayedPartition, delivery: Delivery) -> None:
        self._queue.put_nowait((partition, delivery))

    async def run(self) -> None:
        """Hand on what waits, one after the other. Never returns; cancel it when its stage has ended."""
        while True:
            partition, delivery = await self._queue.get()
            if not partition.discarded:
                await self._hand_on(delivery.record)
            partition.finish(delivery)

    async def _hand_on(self, record: Record) -> None:
        try:
            message = decode(record)
            if isinstance(message, Alarm):
                return
            if not isinstance(message, AlarmRequest):
                raise DecodeError(f"{type(message).__name__} is no message of the alarms' topic")
            if message.action == "check":
                raise DecodeError("only the line asks for a check")
            await self._send(encode(message))
        except PoisonError as error:
            where = f"{record.topic}/{record.partition}@{record.offset}"
            self._emit(RecordQuarantined("unknown", error.reason, where, str(error)))
            await self._publisher.send(self._topics.quarantine, quarantine_record(record, error, MOST_BYTES))

    async def _send(self, record: Outgoing) -> None:
        try:
            await self._publisher.send(self._topics.inspections, record)
        except TooLargeError as error:
            raise PoisonError("too_large", str(error)) from None
