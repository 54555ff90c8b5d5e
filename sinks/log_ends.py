"""Where a partition's log begins and ends, asked of the broker by a client of its own."""

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

from andon.errors import RetryableError
from andon.stream.offsets import Partition
from andon.stream.reading import end_of

Ends = tuple[int, int]
"""(offset of the first record there is, offset that the next record will get)"""


class LogEnds(Protocol):
    async def read(self, partitions: Iterable[Partition]) -> Mapping[Partition, Ends]:
        """Raises RetryableError while the broker does not answer."""
        ...


class KafkaLogEnds:
    """Asks through a consumer that is started, in no group, and used by nobody else."""

    def __init__(self, client: AIOKafkaConsumer) -> None:
        self._client = client

    async def read(self, partitions: Iterable[Partition]) -> Mapping[Partition, Ends]:
        wanted: list[Any] = list(partitions)
        try:
            first = await self._client.beginning_offsets(wanted)
            end = {item: await end_of(self._client, item, first[item]) for item in wanted}
        except (KafkaError, TimeoutError) as error:
            raise RetryableError(f"the log's ends: {type(error).__name__}") from None
        return {item: (first[item], end[item]) for item in wanted}
