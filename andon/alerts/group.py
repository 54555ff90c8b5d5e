"""One consumer of a Redis consumer group: the order of its reads, and what it does when the group is gone.

A consumer reads first what it took before and did not acknowledge, then what other consumers have held for too long,
then new entries. When the connection breaks or the group is gone, it begins again with the first read, because an
answer may have been lost on the way.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import ResponseError

from andon.alerts.stream import BLOCK_S, Entry
from andon.redis import AWAY

_GROUP_GONE = ("NOGROUP", "UNBLOCKED")
"""How Redis' answer begins when the group, or the stream below a waiting reader, no longer exists."""
_log = logging.getLogger("andon.alerts")


@dataclass(slots=True, eq=False)
class GroupReader:
    """Reads as `consumer` of `group` from the stream at `key`. Raises what redis-py raises."""

    redis: Redis
    key: str
    group: str
    consumer: str
    min_idle_s: float
    trimmed: int = 0
    """Entries that left the capped stream before this group had acknowledged them."""
    _own: bytes | None = b"0"
    """Up to which entry this consumer has read back what it took before. None: all of it."""
    _claim_at_s: float = 0.0

    def begin_anew(self) -> None:
        """Read back first what this consumer took and did not acknowledge: an answer may have been lost."""
        self._own = b"0"
        self._claim_at_s = 0.0

    async def take(self) -> Sequence[Entry]:
        """The next entries, or none when nothing came within BLOCK_S."""
        try:
            return await self._left_by_self() or await self._left_by_others() or await self._new()
        except AWAY:
            self.begin_anew()
            raise
        except ResponseError as error:
            if not str(error).startswith(_GROUP_GONE):
                raise
            _log.warning("group %s is gone (Redis came back empty?); made anew from the beginning", self.group)
            await self.create("0")
            self.begin_anew()
            return ()

    async def acknowledge(self, entry_id: bytes) -> None:
        await self.redis.xack(self.key, self.group, entry_id)

    def count_trimmed(self, count: int) -> None:
        self.trimmed += count
        _log.warning("%d alerts left the stream before group %s handled them: it is too slow", count, self.group)

    async def create(self, start: str) -> None:
        """Make the group begin at `start` (`$`: the end). An existing group goes on where it was."""
        try:
            await self.redis.xgroup_create(self.key, self.group, start, mkstream=True)
        except ResponseError as error:
            if not str(error).startswith("BUSYGROUP"):
                raise

    async def _left_by_self(self) -> Sequence[Entry]:
        if self._own is None:
            return ()
        entries = await self._read(self._own)
        self._own = entries[-1][0] if entries else None
        return entries

    async def _left_by_others(self) -> Sequence[Entry]:
        """One entry that another consumer has held for too long. After a vain search, wait half of that time."""
        if self._now_s() < self._claim_at_s:
            return ()
        cursor, idle_ms = b"0-0", int(self.min_idle_s * 1000)
        while True:
            answer: Any = await self.redis.xautoclaim(self.key, self.group, self.consumer, idle_ms, cursor, count=1)
            cursor, entries, deleted = answer
            if deleted:
                self.count_trimmed(len(deleted))
            if entries:
                return [(entry_id, fields) for entry_id, fields in entries]
            if cursor == b"0-0":
                self._claim_at_s = self._now_s() + self.min_idle_s / 2
                return ()

    async def _new(self) -> Sequence[Entry]:
        patience_s = min(BLOCK_S, self._claim_at_s - self._now_s())
        return await self._read(b">", max(1, int(patience_s * 1000)))

    async def _read(self, after: bytes, block_ms: int | None = None) -> Sequence[Entry]:
        """One entry at a time: any further one would lie idle behind it."""
        answer: Any = await self.redis.xreadgroup(self.group, self.consumer, {self.key: after}, count=1, block=block_ms)
        return [(entry_id, fields or {}) for _, entries in answer for entry_id, fields in entries]

    def _now_s(self) -> float:
        return asyncio.get_running_loop().time()
