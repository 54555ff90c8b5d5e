"""Reads one camera's records between two offsets back, apart from every group: a group of pictures, or a clip."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from andon.errors import PoisonError, RetryableError
from andon.stream.consumer import record_of
from andon.stream.offsets import Ends, Partition
from andon.stream.reading import POLL_MS, ends_of
from andon.wire import Record

Enough = Callable[[Record], bool]


@dataclass(frozen=True, slots=True)
class RangeLimits:
    kept_bytes: int = 64_000_000
    """Of the values that are returned. 64 MB: 50 s at 10 Mbit/s, or 240 JPEGs of 270 KB."""
    read_bytes: int = 512_000_000
    """Of all values in the range: those of the partition's other cameras are read, too."""
    timeout_s: float = 15.0
    """For one range."""


def never(record: Record) -> bool:
    """The range ends at its last offset, not at a record."""
    return False


@dataclass(slots=True, eq=False)
class _Range:
    """A range that is being read."""

    first: int
    last: int
    key: bytes = field(repr=False)
    enough: Enough
    limits: RangeLimits
    kept: list[Record] = field(default_factory=list)
    kept_bytes: int = 0
    read_bytes: int = 0

    def take(self, raw: Any) -> bool:
        """Take the client's next record. Returns whether the range is over."""
        if raw.offset > self.last:
            return True
        size = len(raw.value or b"")
        self.read_bytes += size
        if raw.key == self.key:
            self.kept.append(record_of(raw))
            self.kept_bytes += size
        if self.kept_bytes > self.limits.kept_bytes or self.read_bytes > self.limits.read_bytes:
            raise PoisonError(
                "too_large",
                f"offsets {self.first} to {raw.offset} hold {self.kept_bytes} bytes of the camera and"
                f" {self.read_bytes} of all: more than may be read back at a time",
            )
        return raw.offset == self.last or (raw.key == self.key and self.enough(self.kept[-1]))


class RangeReader:
    """Reads ranges, one at a time."""

    def __init__(self, client: AIOKafkaConsumer, limits: RangeLimits | None = None) -> None:
        """`client` is started, in no group, and used by nobody else."""
        self._client = client
        self._limits = limits or RangeLimits()
        self._turn = asyncio.Lock()

    async def read_range(
        self, partition: Partition, first: int, last: int | None, key: bytes, enough: Enough = never
    ) -> list[Record]:
        """The records with this key from offset `first` to `last`, both included, as far as the log has them.

        `last`: None: to the end that the log has now. `enough`: the first record of the key for which it is true ends
        the range, and is part of it.

        Raises RetryableError while the broker is away, and PoisonError (`too_large`) past the limits.
        """
        try:
            async with self._turn, asyncio.timeout(self._limits.timeout_s):
                ends = await self._ends(partition, last)
                end = ends.end - 1 if last is None else min(last, ends.end - 1)
                wanted = _Range(max(first, ends.first), end, key, enough, self._limits)
                if wanted.first <= wanted.last:
                    await self._fetch(TopicPartition(*partition), wanted)
                return wanted.kept
        except (KafkaError, OSError, TimeoutError) as error:
            raise RetryableError(" ".join(str(error).split()) or type(error).__name__) from error

    async def _ends(self, partition: Partition, last: int | None) -> Ends:
        """Where the log begins, and an end that is right as far as `last`."""
        there = TopicPartition(*partition)
        if last is not None:
            first = (await self._client.beginning_offsets([there]))[there]
            end = (await self._client.end_offsets([there]))[there]
            if last < end:
                return Ends(first, end)
        # the embedded broker gives the last batch's first offset for its last
        return (await ends_of(self._client, [partition]))[partition]

    async def _fetch(self, there: TopicPartition, wanted: _Range) -> None:
        self._client.assign([there])
        self._client.seek(there, wanted.first)
        try:
            while (left := wanted.last + 1 - await self._client.position(there)) > 0:
                batches = await self._client.getmany(there, timeout_ms=POLL_MS, max_records=left)
                for raw in batches.get(there, ()):
                    if wanted.take(raw):
                        return
        finally:
            self._client.unsubscribe()  # it would go on to fetch what follows
