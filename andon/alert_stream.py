"""The stream of alerts as Redis sees it: a group's questions, their order, and what is in an entry.

A consumer asks first for what it took before and did not acknowledge, then for what others have held for too long,
then for news. Whenever the connection breaks or the group is gone it begins again at the first question, since an
answer may have got lost on the way.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import ValidationError
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from andon.errors import DecodeError
from andon.messages import Defect, PartVerdict
from andon.redis import AWAY

Entry = tuple[bytes, dict[bytes, bytes]]
"""An entry's id and fields; no fields: it was trimmed from the stream before it was handled."""

EVENT_TYPE = b"andon.defect.v1"
PART_TYPE = b"andon.part.v1"
Event = TypeVar("Event", Defect, PartVerdict)
TIMEOUT_S = 5.0
BLOCK_S = 5.0
"""How long one question waits on the server for news."""

_GROUP_GONE = ("NOGROUP", "UNBLOCKED")
"""How Redis' answer begins where a group, or the stream below a waiting reader, is no longer there."""
_log = logging.getLogger("andon.alerts")


@dataclass(frozen=True, slots=True)
class Member:
    """Who asks."""

    key: str
    """Of the stream."""
    group: str
    consumer: str
    min_idle_s: float


class GroupReader:
    """A group's questions to Redis, as one of its consumers. Raises what redis-py raises."""

    def __init__(self, redis: Redis, member: Member) -> None:
        self._redis = redis
        self._who = member
        self._own: bytes | None = b"0"
        """How far this consumer has been given what it took before and did not acknowledge. None: all of it."""
        self._claim_at_s = 0.0
        self.trimmed = 0

    def begin_anew(self) -> None:
        """Ask first for what was handed to this consumer and not acknowledged: an answer may have got lost."""
        self._own = b"0"
        self._claim_at_s = 0.0

    async def take(self) -> Sequence[Entry]:
        """What is next, or nothing when nothing came within BLOCK_S."""
        try:
            return await self._left_by_self() or await self._left_by_others() or await self._news()
        except AWAY:
            self.begin_anew()
            raise
        except ResponseError as error:
            if not str(error).startswith(_GROUP_GONE):
                raise
            _log.warning("group %s is gone (Redis came back empty?); made anew from the beginning", self._who.group)
            await self.create("0")
            self.begin_anew()
            return ()

    async def acknowledge(self, entry_id: bytes) -> None:
        await self._redis.xack(self._who.key, self._who.group, entry_id)

    def tell_trimmed(self, count: int) -> None:
        """Alerts of this group that left the capped stream before anybody had acknowledged them."""
        self.trimmed += count
        _log.warning("%d alerts left the stream before group %s handled them: it is too slow", count, self._who.group)

    async def create(self, start: str) -> None:
        """Make the group, to begin at `start` (`$`: the end), unless it exists: then it goes on where it was."""
        try:
            await self._redis.xgroup_create(self._who.key, self._who.group, start, mkstream=True)
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
        """One entry that somebody has held for too long; after none is found, not again for half of that time."""
        if self._now_s() < self._claim_at_s:
            return ()
        cursor = b"0-0"
        while True:
            idle_ms = int(self._who.min_idle_s * 1000)
            answer: Any = await self._redis.xautoclaim(
                self._who.key, self._who.group, self._who.consumer, idle_ms, cursor, count=1
            )
            cursor, entries, deleted = answer
            if deleted:
                self.tell_trimmed(len(deleted))
            if entries:
                return [(entry_id, fields) for entry_id, fields in entries]
            if cursor == b"0-0":
                self._claim_at_s = self._now_s() + self._who.min_idle_s / 2
                return ()

    async def _news(self) -> Sequence[Entry]:
        patience_s = min(BLOCK_S, self._claim_at_s - self._now_s())
        return await self._read(b">", max(1, int(patience_s * 1000)))

    async def _read(self, after: bytes, block_ms: int | None = None) -> Sequence[Entry]:
        """One at a time: whatever else this process took would lie idle behind it."""
        answer: Any = await self._redis.xreadgroup(
            self._who.group, self._who.consumer, {self._who.key: after}, count=1, block=block_ms
        )
        return [(entry_id, fields or {}) for _, entries in answer for entry_id, fields in entries]

    def _now_s(self) -> float:
        return asyncio.get_running_loop().time()


def defect_in(entry: Entry) -> Defect:
    """The event in an alerts stream's entry. Fields that a newer line adds are ignored. Raises DecodeError."""
    return _event_in(entry, Defect, EVENT_TYPE)


def part_in(entry: Entry) -> PartVerdict:
    """The same of the stream of parts."""
    return _event_in(entry, PartVerdict, PART_TYPE)


def _event_in(entry: Entry, kind: type[Event], event_type: bytes) -> Event:
    entry_id, fields = entry
    if fields.get(b"type", event_type) != event_type:
        told = fields[b"type"].decode(errors="replace")[:60]
        raise DecodeError(f"entry {entry_id.decode()}: type {told!r} is not known here")
    try:
        return kind.model_validate_json(fields.get(b"event", b""), extra="ignore")
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        where = ".".join(str(part) for part in first["loc"]) or "event"
        named = "defect event" if kind is Defect else "part verdict"
        raise DecodeError(f"entry {entry_id.decode()} is no {named}: {where}: {first['msg']}") from None
