"""Looking on without a group: nothing is remembered, nothing acknowledged."""

import logging
from collections.abc import AsyncGenerator
from functools import partial
from typing import Any

from redis.asyncio import Redis

from andon.alerts.consumer import Start
from andon.alerts.stream import BLOCK_S, TIMEOUT_S, Entry, Event, Stream
from andon.errors import DecodeError
from andon.redis import client, patiently

_log = logging.getLogger("andon.alerts")


async def tail(
    stream: Stream[Event], url: str, *, start: Start = "new", prefix: str = "andon"
) -> AsyncGenerator[Event, None]:
    """The stream's events as they come, for ever. Waits while Redis is away. Raises FatalError if Redis refuses us."""
    redis, key = client(url, TIMEOUT_S, BLOCK_S), stream.key(prefix)
    try:
        after = await patiently(redis, partial(_newest, redis, key)) if start == "new" else b"0-0"
        while True:
            for entry in await patiently(redis, partial(_after, redis, key, after)):
                after = entry[0]
                try:
                    yield stream.read(entry)
                except DecodeError as error:
                    _log.warning("%s; passed over", error)
    finally:
        await redis.aclose()


async def _newest(redis: Redis, key: str) -> bytes:
    entries: Any = await redis.xrevrange(key, count=1)
    return entries[0][0] if entries else b"0-0"


async def _after(redis: Redis, key: str, entry_id: bytes) -> list[Entry]:
    answer: Any = await redis.xread({key: entry_id}, count=100, block=int(BLOCK_S * 1000))
    return [entry for _, entries in answer for entry in entries]
