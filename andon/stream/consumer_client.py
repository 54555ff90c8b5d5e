"""The Kafka client's consumer, which finds a partition's new leader also where the old one does not even refuse."""

from collections.abc import Awaitable
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.client import ConnectionGroup
from aiokafka.errors import KafkaTimeoutError
from aiokafka.protocol.fetch import FetchRequest

from andon.errors import FatalError
from andon.stream.network_faults import expect_faults


class ConsumerClient(AIOKafkaConsumer):  # type: ignore[misc]  # aiokafka is untyped
    """Asks who leads whenever a look-up of offsets has timed out.

    The client (0.14) gives a look-up as long as the single request in it. Where a broker is cut off without a word, the
    look-up ends first, so the client never learns that its request has failed. It would ask the same broker again until
    `metadata_max_age_ms` is over, and a member of a group can't open the partitions it was given meanwhile.
    """

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        expect_faults(self._client)
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

    async def getmany(self, *partitions: TopicPartition, **limits: Any) -> Any:
        """As the client's own. Raises FatalError where its task that fetches has ended: it would wait for ever."""
        fetching = self._fetcher.error_future
        if fetching.done() and not self._closed:
            error = None if fetching.cancelled() else fetching.exception()
            raise FatalError(f"can't read from Kafka: the client has stopped fetching: {_root(error)}")
        return await super().getmany(*partitions, **limits)

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


def _root(error: BaseException | None) -> str:
    """What the client met before it raised `error`."""
    return "it was cancelled" if error is None else repr(error.__cause__ or error)
