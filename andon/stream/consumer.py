"""Reads a group's partitions: `KafkaConsumer` wraps the client's consumer; its records, partitions and errors become
the line's own."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import (
    CommitFailedError,
    GroupAuthorizationFailedError,
    IllegalStateError,
    KafkaError,
    KafkaTimeoutError,
    TopicAuthorizationFailedError,
)

from andon.errors import AndonError, FatalError, RetryableError
from andon.stream.append_times import LOG_APPEND_TIME, AppendTimes
from andon.stream.broker_clock import BrokerClock
from andon.stream.consumer_client import ConsumerClient
from andon.stream.offsets import Partition
from andon.wire import Record

NOWHERE = TopicPartition("", -1)
"""A poll of this keeps the membership alive and takes nothing. Records of other partitions stay fetched."""


REMEDIES: dict[type[KafkaError], str] = {
    TopicAuthorizationFailedError: (
        "the broker refuses the right to read: give the user of kafka.sasl_username the ACLs Read and Describe on the "
        "topic"
    ),
    GroupAuthorizationFailedError: (
        "the broker refuses the group: give the user of kafka.sasl_username the ACL Read on the group"
    ),
}


class NotOwnerError(AndonError):
    """The group has given the partition to another member."""


class Owner(Protocol):
    """Learns of the group's decisions. Neither method may raise: the client would only log the error.

    Heartbeats go on during `give_up`, and stop until `take_over` has returned: it must not wait for anything.
    """

    async def take_over(self, partitions: frozenset[Partition]) -> None: ...
    async def give_up(self, partitions: frozenset[Partition]) -> None: ...


class Consumer(Protocol):
    """A member of a group. Its methods raise RetryableError while Kafka does not answer, and FatalError where Kafka
    refuses for good."""

    def subscribe(self, topics: Sequence[str], owner: Owner) -> None:
        """Join the group. `owner` learns which partitions this member gets; each is held until `read_from`."""
        ...

    def read_from(self, partition: Partition, offset: int) -> None:
        """Begin to fetch a partition that was assigned."""
        ...

    async def poll(
        self, partitions: Sequence[Partition], *, timeout_ms: int = 0, max_records: int | None = None
    ) -> Mapping[Partition, Sequence[Record]]:
        """Take fetched records of these partitions. Without any: take nothing, and stay a member of the group."""
        ...

    async def commit(self, offsets: Mapping[Partition, int]) -> None:
        """Raises NotOwnerError where the group has moved on without this member."""
        ...

    def highwater(self, partition: Partition) -> int | None:
        """The end of the partition as of the last fetch. None before the first one, or if the partition is not ours.

        May be called from any thread.
        """
        ...

    def position(self, partition: Partition) -> int | None:
        """The offset from which the partition is read on. It passes records that expired, before the next one comes.

        None: not known yet, or the partition is not ours. May be called from any thread.
        """
        ...

    def answered_ms(self, partition: Partition) -> int | None:
        """When the broker last answered a fetch of the partition, by this host's clock. None: never, or not ours."""
        ...

    async def committed(self, partitions: Iterable[Partition]) -> Mapping[Partition, int]:
        """The group's offsets; a partition without one is left out."""
        ...

    async def beginning_offsets(self, partitions: Iterable[Partition]) -> Mapping[Partition, int]: ...

    def connection(self, partition: Partition) -> object:
        """Stands for the connection by which the records of the partition came last: another object for each one."""
        ...

    async def holds(self, partition: Partition, offset: int, timestamp_ms: int) -> bool:
        """Whether the log still has the record that was read at `offset`. True where nobody can know."""
        ...

    async def offset_since(self, partition: Partition, timestamp_ms: int) -> int:
        """The offset of the first record that was appended at this time or later; without one, the log's end."""
        ...


class KafkaConsumer:
    """A Consumer over an AIOKafkaConsumer that somebody else starts and stops."""

    def __init__(self, client: ConsumerClient, clock: BrokerClock | None = None) -> None:
        """`clock` learns the brokers' time."""
        self._client = client
        self._times = None if clock is None else AppendTimes(client, clock)
        self._timed: dict[str, bool] = {}
        """Whether the records of a topic have the time at which the broker appended them."""

    def subscribe(self, topics: Sequence[str], owner: Owner) -> None:
        self._client.subscribe(list(topics), listener=_Listener(self._client, owner))

    def leave_at_stop(self) -> None:
        """The group is to share this member's partitions out as soon as it stops, although it bears a name."""
        self._client._coordinator._group_instance_id = None

    @property
    def put_out(self) -> bool:
        """The group has put this member out: it was silent for too long, and what it had may be another's already."""
        generation: int = self._client._coordinator.generation
        return generation < 0

    def read_from(self, partition: Partition, offset: int) -> None:
        there = TopicPartition(*partition)
        self._client.seek(there, offset)
        self._client.resume(there)

    async def poll(
        self, partitions: Sequence[Partition], *, timeout_ms: int = 0, max_records: int | None = None
    ) -> Mapping[Partition, Sequence[Record]]:
        wanted = [TopicPartition(*partition) for partition in partitions] or [NOWHERE]
        try:
            batches = await self._client.getmany(*wanted, timeout_ms=timeout_ms, max_records=max_records)
        except KafkaError as error:  # the client itself has retried whatever can be retried
            topics = ", ".join(sorted(self._client.subscription()))
            raise FatalError(f"can't read {topics} from Kafka: {_why(error)}") from error
        if self._times is not None:
            self._times.saw(batches)
        for there, raws in batches.items():
            self._timed[there.topic] = raws[-1].timestamp_type == LOG_APPEND_TIME
        return {Partition(*there): [record_of(raw) for raw in raws] for there, raws in batches.items()}

    async def commit(self, offsets: Mapping[Partition, int]) -> None:
        try:
            await self._client.commit({TopicPartition(*partition): offset for partition, offset in offsets.items()})
        except (CommitFailedError, IllegalStateError) as error:
            raise NotOwnerError(_why(error)) from error
        except KafkaError as error:
            raise own_error("commit offsets", error) from error

    def highwater(self, partition: Partition) -> int | None:
        try:
            end: int | None = self._client.highwater(TopicPartition(*partition))
        except Exception:  # it asserts that the partition is assigned, which a rebalance changes under another thread
            return None
        return end

    def position(self, partition: Partition) -> int | None:
        try:  # the client's own `position` waits for it
            assignment = self._client._subscription.subscription.assignment
            at: int = assignment.state_value(TopicPartition(*partition)).position
        except Exception:  # as for highwater
            return None
        return at

    def answered_ms(self, partition: Partition) -> int | None:
        try:
            at: int | None = self._client.last_poll_timestamp(TopicPartition(*partition))
        except Exception:  # as for highwater
            return None
        return at

    async def committed(self, partitions: Iterable[Partition]) -> Mapping[Partition, int]:
        wanted = list(partitions)
        try:
            offsets = await asyncio.gather(*(self._client.committed(TopicPartition(*item)) for item in wanted))
        except KafkaError as error:
            raise own_error("read the group's offsets", error) from error
        return {item: offset for item, offset in zip(wanted, offsets, strict=True) if offset is not None}

    async def beginning_offsets(self, partitions: Iterable[Partition]) -> Mapping[Partition, int]:
        wanted = [TopicPartition(*item) for item in partitions]
        try:
            offsets = await self._client.beginning_offsets(wanted) if wanted else {}
        except KafkaError as error:
            raise own_error("read where the log begins", error) from error
        return {Partition(*there): offset for there, offset in offsets.items()}

    async def ask_time(self, partitions: Iterable[Partition]) -> None:
        """Have the clock find out the latest possible time, by the next record of any of these. Raises as `commit`."""
        if self._times is None:
            return
        try:
            await self._times.ask([TopicPartition(*partition) for partition in partitions])
        except KafkaError as error:
            raise own_error("ask where the log ends", error) from error

    def connection(self, partition: Partition) -> object:
        return self._client.fetched_by.get(TopicPartition(*partition))

    async def holds(self, partition: Partition, offset: int, timestamp_ms: int) -> bool:
        if not self._timed.get(partition.topic):
            return True
        found = await self._since(partition, timestamp_ms)
        return found is not None and found.offset <= offset and found.timestamp == timestamp_ms

    async def offset_since(self, partition: Partition, timestamp_ms: int) -> int:
        there = TopicPartition(*partition)
        try:
            if not self._timed.get(partition.topic):
                return int((await self._client.beginning_offsets([there]))[there])
            # first the end: what is appended between the two questions must not be taken for what was there
            end = int((await self._client.end_offsets([there]))[there])
            found = await self._since(partition, timestamp_ms)
            return end if found is None else int(found.offset)
        except KafkaError as error:
            raise own_error("find records by their time", error) from error

    async def _since(self, partition: Partition, timestamp_ms: int) -> Any:
        there = TopicPartition(*partition)
        try:
            return (await self._client.offsets_for_times({there: max(0, timestamp_ms)}))[there]
        except KafkaError as error:
            raise own_error("find records by their time", error) from error


class _Listener(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka is untyped
    """Hands the group's decisions to the owner, and holds each assigned partition until it is read from."""

    def __init__(self, client: AIOKafkaConsumer, owner: Owner) -> None:
        self._client = client
        self._owner = owner

    async def on_partitions_revoked(self, revoked: Iterable[Any]) -> None:
        await self._owner.give_up(_partitions(revoked))

    async def on_partitions_assigned(self, assigned: Iterable[Any]) -> None:
        self._client.pause(*assigned)
        await self._owner.take_over(_partitions(assigned))


def record_of(raw: Any) -> Record:
    """The line's own record of a client's."""
    return Record(raw.topic, raw.partition, raw.offset, raw.timestamp, raw.key, raw.value, raw.headers)


def own_error(what: str, error: KafkaError) -> RetryableError | FatalError:
    """A RetryableError if the client calls its error retriable, or gave up waiting for an answer; else a FatalError."""
    kind = RetryableError if error.retriable or isinstance(error, KafkaTimeoutError) else FatalError
    return kind(f"can't {what}: {_why(error)}")


def _partitions(given: Iterable[Any]) -> frozenset[Partition]:
    return frozenset(Partition(item.topic, item.partition) for item in given)


def _why(error: KafkaError) -> str:
    reason = str(error) or type(error).__name__
    remedy = REMEDIES.get(type(error))
    return reason if remedy is None else f"{remedy} ({reason})"
