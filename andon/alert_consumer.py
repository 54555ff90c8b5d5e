"""One consumer of a group of one of the line's streams: takes, hands out, acknowledges; waits while Redis is away."""

import logging
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, Literal, Self, TypeVar

from andon.alert_stream import BLOCK_S, TIMEOUT_S, Entry, GroupReader, Member
from andon.errors import DecodeError
from andon.redis import client, patiently

Start = Literal["new", "beginning"]
"""Where to begin: with the events to come, or with the oldest that the stream holds."""
Event = TypeVar("Event")
_log = logging.getLogger("andon.alerts")


@dataclass(frozen=True, slots=True)
class Stream(Generic[Event]):
    """A stream's name behind the prefix, and how an entry of it is read. `read` raises DecodeError."""

    name: str
    read: Callable[[Entry], Event]


@dataclass(frozen=True, slots=True)
class Taker:
    """Who takes part. `start` is for a group that does not exist yet; one that does goes on where it was.

    `consumer` (None: this host's name) must be a process's own, and the same after its restart. What any consumer has
    held for longer than `min_idle_s` is handed out again.
    """

    group: str
    consumer: str | None
    start: Start
    min_idle_s: float
    prefix: str


class Consumer(Generic[Event]):
    """What the clients of `andon.alerts` have in common. Raises ConfigError where `url` is no Redis URL."""

    def __init__(self, url: str, stream: Stream[Event], taker: Taker) -> None:
        self._redis = client(url, TIMEOUT_S, BLOCK_S)
        name = taker.consumer or socket.gethostname()
        member = Member(f"{taker.prefix}:{stream.name}", taker.group, name, taker.min_idle_s)
        self._reader = GroupReader(self._redis, member)
        self._read = stream.read
        self._start = "$" if taker.start == "new" else "0"
        self.poisoned = 0
        """Entries that were no events: told, acknowledged, passed over."""

    @property
    def trimmed(self) -> int:
        """Events of this group that left the capped stream before anybody had acknowledged them."""
        return self._reader.trimmed

    async def __aenter__(self) -> Self:
        """Waits while Redis is away. Raises FatalError where it refuses us."""
        try:
            await patiently(self._redis, lambda: self._reader.create(self._start))
        except BaseException:
            await self._redis.aclose()
            raise
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._redis.aclose()

    async def _handed_out(
        self, wanted: Callable[[Event], bool]
    ) -> AsyncGenerator[tuple[Event, bytes, Callable[[bytes], Awaitable[None]]], None]:
        """Events that are wanted, each with where it stands and how to acknowledge it; the others are acknowledged."""
        self._reader.begin_anew()
        while True:
            for entry in await patiently(self._redis, self._reader.take):
                event = self._event(entry)
                if event is None or not wanted(event):
                    await self._acknowledge(entry[0])
                else:
                    yield event, entry[0], self._acknowledge

    async def _acknowledge(self, entry_id: bytes) -> None:
        await patiently(self._redis, lambda: self._reader.acknowledge(entry_id))

    def _event(self, entry: Entry) -> Event | None:
        """The event in `entry`, or None, counted and told, where there is none."""
        if not entry[1]:
            self._reader.tell_trimmed(1)
            return None
        try:
            return self._read(entry)
        except DecodeError as error:
            self.poisoned += 1
            _log.warning("%s; acknowledged and passed over", error)
            return None
