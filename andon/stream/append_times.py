"""Learns the brokers' time from the records that a consumer reads: a broker stamps each with the time of its append."""

from collections.abc import Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from andon.stream.broker_clock import BrokerClock

LOG_APPEND_TIME = 1
"""The client's timestamp_type of a record whose time the broker has set."""


def leader(client: Any, there: TopicPartition) -> str:
    """The broker that appends to this partition, by the client's view of the cluster."""
    return f"broker {client.cluster.leader_for_partition(there)}"


class AppendTimes:
    """One consumer's. Event loop only.

    A record that was read proves only that the broker's clock shows its time or a later one. A reader that also wants
    to know the latest possible time asks for the end of a log: whatever is appended behind it is appended later.
    """

    def __init__(self, client: AIOKafkaConsumer, clock: BrokerClock) -> None:
        self._client = client
        self._clock = clock
        self._questions: dict[TopicPartition, tuple[int, float]] = {}
        """For each partition an end of its log, and when it was asked for."""

    def saw(self, batches: Mapping[TopicPartition, Sequence[Any]]) -> None:
        """These records have just been read."""
        for there, records in batches.items():
            if not records:
                continue
            if records[-1].timestamp_type != LOG_APPEND_TIME:
                self._clock.unstamped()
                continue
            broker = leader(self._client._client, there)
            self._clock.read(broker, records[-1].timestamp)
            self._follow(broker, there, records)

    async def ask(self, partitions: Sequence[TopicPartition]) -> None:
        """Ask where these logs end. Raises KafkaError."""
        asked_s = self._clock.monotonic()
        ends = await self._client.end_offsets(list(partitions))
        for there, end in ends.items():
            self._questions.setdefault(there, (end, asked_s))

    def _follow(self, broker: str, there: TopicPartition, records: Sequence[Any]) -> None:
        if there not in self._questions:
            return
        end, asked_s = self._questions[there]
        behind = [record for record in records if record.offset >= end]
        if behind:
            del self._questions[there]
            self._clock.followed(broker, asked_s, behind[0].timestamp)
