"""How far a topic has grown, asked by a client that fetches nothing: what a stage puts out, without a look into it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiokafka import AIOKafkaConsumer, TopicPartition
from scipy.stats import theilslopes

from andon.clock import Clock, SystemClock
from andon.events import silent
from andon.kafka import admin, consumer, partitions_of, started
from andon.settings import KafkaSettings


@dataclass(frozen=True, slots=True)
class Sample:
    """The records in each partition at one moment of the monotonic clock."""

    at_s: float
    by_partition: tuple[int, ...]

    @property
    def total(self) -> int:
        return sum(self.by_partition)


@dataclass(slots=True)
class Ends:
    """One topic's end offsets. Used by one task at a time."""

    client: AIOKafkaConsumer
    partitions: Sequence[TopicPartition]
    clock: Clock = field(default_factory=SystemClock)

    async def read(self) -> Sample:
        ends = await self.client.end_offsets(self.partitions)
        return Sample(self.clock.monotonic(), tuple(ends[item] for item in self.partitions))

    async def watched(self, seconds: float, every_s: float = 0.2) -> list[Sample]:
        """Samples over so many seconds, the first one at once."""
        samples = [await self.read()]
        while samples[-1].at_s - samples[0].at_s < seconds:
            await asyncio.sleep(every_s)
            samples.append(await self.read())
        return samples


@asynccontextmanager
async def ends(kafka: KafkaSettings, topic: str) -> AsyncIterator[Ends]:
    """The ends of a topic that is there."""
    async with (
        started(lambda: admin(kafka), kafka, silent) as administrator,
        started(lambda: consumer(kafka, None), kafka, silent) as client,
    ):
        yield Ends(client, await partitions_of(administrator, topic))


def rate_per_s(samples: Sequence[Sample]) -> float:
    """Records a second: the median of the slopes between all samples (Theil-Sen), which one stall does not move."""
    slope = theilslopes([sample.total for sample in samples], [sample.at_s for sample in samples]).slope
    return float(slope)
