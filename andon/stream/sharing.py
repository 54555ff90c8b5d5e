"""A member of a group that shares the partitions of a topic without reading them.

The group says which member has which partition, for as long as the member gives signs of life. It has its own assignor:
what runs stays where it is (`balance`). aiokafka (0.14) revokes every partition at each change of the group, also those
that the member gets back; so nothing is given up before the group has decided, unless the group has put the member out.

A partition's tenure is a number that grows with each owner. Kafka keeps it as the group's committed offset, and refuses
a commit by a member that has been put out. A group that stands still for days is forgotten by Kafka; so the tenure is
never below the time in seconds.
"""

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from typing import Any

from aiokafka import AIOKafkaConsumer
from aiokafka.coordinator.protocol import ConsumerProtocolMemberAssignment, ConsumerProtocolMemberMetadata

from andon.backoff import Backoff, Retrier
from andon.clock import Clock
from andon.events import Emit, PartitionsAssigned, PartitionsRevoked
from andon.settings import KafkaSettings
from andon.stream.balance import Claim, shared_out
from andon.stream.clients import consumer
from andon.stream.consumer import KafkaConsumer, NotOwnerError
from andon.stream.loading import Loading
from andon.stream.offsets import Partition

PROTOCOL = "andon-sticky"
VERSION = 0
POLL_S = 0.5
"""Interval between two signs of life to the client, which takes a member for hung after minutes without one."""
Loads = Callable[[], Mapping[int, int]]
"""The work in each partition, by number."""


class Assignor:
    """Shares out a topic's partitions among the members, as the client asks the group's leader to. One a member."""

    name = PROTOCOL

    def __init__(self, loads: Loads) -> None:
        self._loads = loads
        self._claim = Claim(-1, frozenset())

    def forget(self) -> None:
        """The group has put this member out: what it had is another's by now."""
        self._claim = Claim(-1, frozenset())

    def metadata(self, topics: Iterable[str]) -> ConsumerProtocolMemberMetadata:
        claim = {"generation": self._claim.generation, "partitions": sorted(self._claim.partitions)}
        return ConsumerProtocolMemberMetadata(VERSION, list(topics), json.dumps(claim).encode())

    def assign(
        self, cluster: Any, members: Mapping[str, ConsumerProtocolMemberMetadata]
    ) -> dict[str, ConsumerProtocolMemberAssignment]:
        (topic,) = {topic for metadata in members.values() for topic in metadata.subscription}
        claims = {member: _claim(metadata.user_data) for member, metadata in members.items()}
        shares = shared_out(cluster.partitions_for_topic(topic) or (), claims, self._loads())
        generation = 1 + max(claim.generation for claim in claims.values())
        return {
            member: ConsumerProtocolMemberAssignment(VERSION, [(topic, sorted(share))], str(generation).encode())
            for member, share in shares.items()
        }

    def on_assignment(self, assignment: ConsumerProtocolMemberAssignment) -> None:
        numbers = frozenset(item.partition for item in assignment.partitions())
        self._claim = Claim(int(assignment.user_data or b"0"), numbers)


def _claim(user_data: bytes) -> Claim:
    claim = json.loads(user_data)
    return Claim(claim["generation"], frozenset(claim["partitions"]))


def sharing_consumer(settings: KafkaSettings, group: str, loads: Loads) -> AIOKafkaConsumer:
    """A client for a Sharing, not started. It never fetches."""
    return consumer(settings, group, assignors=(Assignor(loads),))


class Sharing:
    """An Owner of partitions that it does not read. Event loop only."""

    def __init__(
        self, client: AIOKafkaConsumer, topic: str, clock: Clock, emit: Emit, changed: Callable[[], object]
    ) -> None:
        """`client` comes from `sharing_consumer`; its owner starts and stops it. `changed` is called whenever `tenures`
        or `joined` has changed."""
        self.tenures: dict[int, int] = {}
        """The partitions that are this member's, each with the number of its tenure."""
        self.joined = False
        """The group's first decision has been carried out."""
        self._changed = changed
        self._client = client
        self._consumer = KafkaConsumer(client)
        self._topic = topic
        self._clock = clock
        self._emit = emit
        self._retrier = Retrier(emit, Backoff(first_s=0.2, most_s=5.0))
        self._loading = Loading(f"{topic}.share", self._fail)
        self._failure: Exception | None = None

    async def run(self) -> None:
        """Be a member until cancelled. Raises FatalError where the broker refuses for good."""
        self._consumer.subscribe([self._topic], self)
        try:
            while True:
                await self._consumer.poll([])
                if self._failure is not None:
                    raise self._failure
                await asyncio.sleep(POLL_S)
        finally:
            await self._loading.stop()

    def leave_at_stop(self) -> None:
        """Another member is to have what this one leaves, as soon as it stops: it is not expected back."""
        self._consumer.leave_at_stop()

    async def take_over(self, partitions: frozenset[Partition]) -> None:
        """The group has decided: give up what is another's now, and begin the tenure of what is new."""
        mine = {item.partition for item in partitions}
        gone = self.tenures.keys() - mine
        self._give_up(gone)
        self._loading.begin(lambda: self._begin(mine - self.tenures.keys()))

    async def give_up(self, partitions: frozenset[Partition]) -> None:
        """The group is shared out anew. A member that was put out has nothing any more; another one goes on."""
        await self._loading.stop()
        if self._consumer.put_out:
            self._give_up(set(self.tenures))
            for assignor in self._client._coordinator._assignors:
                assignor.forget()

    def _give_up(self, gone: Iterable[int]) -> None:
        numbers = sorted(gone)
        for number in numbers:
            del self.tenures[number]
        if numbers:
            self._emit(PartitionsRevoked("ingest", _listed(self._topic, numbers), 0))
            self._changed()

    async def _begin(self, new: Iterable[int]) -> None:
        partitions = [Partition(self._topic, number) for number in sorted(new)]

        async def begin() -> dict[Partition, int]:
            last = await self._consumer.committed(partitions)
            now_s = int(self._clock.now().timestamp())
            tenures = {item: max(last.get(item, 0) + 1, now_s) for item in partitions}
            if tenures:
                await self._consumer.commit(tenures)
            return tenures

        with suppress(NotOwnerError):  # the group has moved on, and decides again
            tenures = await self._retrier.insist(f"{self._topic} tenures", begin)
            self.tenures |= {item.partition: tenure for item, tenure in tenures.items()}
            self.joined = True
            self._changed()
            if tenures:
                numbers = [item.partition for item in tenures]
                self._emit(PartitionsAssigned("ingest", _listed(self._topic, numbers)))

    def _fail(self, error: Exception) -> None:
        self._failure = self._failure or error


def _listed(topic: str, numbers: Iterable[int]) -> str:
    """Sorted numbers, as ranges: there are many."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ",".join(f"{topic}/{run[0]}" + (f"-{run[-1]}" if len(run) > 1 else "") for run in runs)
