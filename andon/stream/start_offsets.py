"""Where a stage begins to read the partitions that it opens."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

from andon.backoff import Retrier
from andon.errors import RetryableError
from andon.stream.consumer import Consumer
from andon.stream.offsets import Partition
from andon.stream.step import PartitionStep

T = TypeVar("T")


class StartOffsets:
    """Asks the broker where the step does not know better. Event loop only."""

    def __init__(self, consumer: Consumer, retrier: Retrier, what: str, timeout_s: float) -> None:
        """`what` names the question in the events; `timeout_s`: how long the broker may take for each answer."""
        self._consumer = consumer
        self._retrier = retrier
        self._what = what
        self._timeout_s = timeout_s

    async def offsets(self, steps: Mapping[Partition, PartitionStep]) -> Mapping[Partition, int]:
        """The offset of each partition from which it is read. Records before it that are gone have expired.

        A group that has committed nothing is new: records that expired before it came were not its to read. Where it
        begins is committed within `commit_interval_s`, so that it is not new again when a member dies before it has
        done anything. A group that the broker forgot, or that died before that commit, is new again: the ledger still
        counts its frames, as missing.
        """
        resumed = {partition: step.resume_at for partition, step in steps.items()}
        asking = [partition for partition, offset in resumed.items() if offset is None]
        committed = await self._answer(lambda: self._consumer.committed(asking))
        new = [partition for partition in asking if partition not in committed]
        first = await self._answer(lambda: self._consumer.beginning_offsets(new))
        known = {partition: offset for partition, offset in resumed.items() if offset is not None}
        return {**known, **committed, **first}

    async def _answer(self, call: Callable[[], Awaitable[T]]) -> T:
        """The broker's answer, however long it takes: without it there is nothing to read."""

        async def in_time() -> T:
            try:
                async with asyncio.timeout(self._timeout_s):
                    return await call()
            except TimeoutError:
                raise RetryableError(f"no answer within {self._timeout_s:g} s") from None

        return await self._retrier.insist(self._what, in_time)
