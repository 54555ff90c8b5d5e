"""The Kafka client's consumer, which finds a partition's new leader also where the old one does not even refuse."""

from collections.abc import Awaitable
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.client import ConnectionGroup
from aiokafka.errors import KafkaTimeoutError
from aiokafka.protocol.fetch import FetchRequest

from andon.stream.request_timeouts import report_timeouts


class ConsumerClient(AIOKafkaConsumer):  # type: ignore[misc]  # aiokafka is untyped
    """Asks who leads whenever a look-up of offsets has timed out.

    The client (0.14) gives a look-up as long as the single request in it. Where a broker is cut off without a word, the
    look-up ends first, so the client never learns that its request has failed. It would ask the same broker again until
    `metadata_max_age_ms` is over, and a member of a group can't open the partitions it was given meanwhile.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        report_timeouts(self._client)
        self.fetched_by: dict[TopicPartition, object] = {}
        """The connection of each partition's last fetch. The records of a partition are taken before its next fetch."""
        self._note_fetches()

    def _note_fetches(self) -> None:
        network = self._client
        send = network.send

        async def send_and_note(node_id: int, request: Any, *, group: Any = ConnectionGroup.DEFAULT) -> Any:
            if not isinstance(request, FetchRequest):
                return await send(node_id, request, group=group)
            await network.ready(node_id, group=group)
            connection = network._conns.get((node_id, group))
            response = await send(node_id, request, group=group)
            for topic, partitions in response.topics:
                self.fetched_by.update({TopicPartition(topic, number): connection for number, *_ in partitions})
            return response

        network.send = send_and_note

    async def offsets_for_times(self, timestamps: Any) -> Any:
        return await self._answered(super().offsets_for_times(timestamps))

    async def beginning_offsets(self, partitions: Any) -> Any:
        return await self._answered(super().beginning_offsets(partitions))

    async def end_offsets(self, partitions: Any) -> Any:
        return await self._answered(super().end_offsets(partitions))

    async def _answered(self, answer: Awaitable[Any]) -> Any:
        try:
            return await answer
        except KafkaTimeoutError:
            self._client.force_metadata_update()  # in the background; the next look-up waits for it
            raise
