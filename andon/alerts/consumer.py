"""The consumers of a group: they take events, hand them out and acknowledge them, and wait while Redis is away."""

import logging
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Generic, Literal, Self

from andon.alerts.group import GroupReader
from andon.alerts.stream import BLOCK_S, DEFECTS, PARTS, TIMEOUT_S, Entry, Event, Stream
from andon.errors import DecodeError
from andon.messages import Defect, PartVerdict
from andon.redis import client, patiently
from andon.redis_server import check

Start = Literal["new", "beginning"]
"""Where to begin: with future events, or with the oldest in the stream."""
_log = logging.getLogger("andon.alerts")


@dataclass(frozen=True, slots=True)
class Delivery(Generic[Event]):
    """One event, handed out to one consumer."""

    event: Event
    entry_id: bytes
    """The entry's id in the stream."""
    _acknowledge: Callable[[bytes], Awaitable[None]] = field(repr=False)

    @property
    def defect(self: "Delivery[Defect]") -> Defect:
        return self.event

    @property
    def part(self: "Delivery[PartVerdict]") -> PartVerdict:
        return self.event

    async def ack(self) -> None:
        """Say that the event is handled: it does not come again. Waits while Redis is away."""
        await self._acknowledge(self.entry_id)


class _Consumer(Generic[Event]):
    """Iterate in one task. Deliveries may be acknowledged in any order, from any task."""

    _stream: Stream[Event]

    def __init__(
        self,
        url: str = "redis://127.0.0.1:6379/0",
        *,
        group: str,
        consumer: str | None = None,
        start: Start = "new",
        min_idle_s: float = 60.0,
        prefix: str = "andon",
    ) -> None:
        """`start` is for a new group; an existing one goes on where it was.

        `consumer` (default: this host's name) is a process's own name in the group, the same after a restart. An event
        that any consumer has held for longer than `min_idle_s` is handed out again: handle an event in less.
        Raises ConfigError if `url` is no Redis URL.
        """
        self._redis = client(url, TIMEOUT_S, BLOCK_S)
        name = consumer or socket.gethostname()
        self._reader = GroupReader(self._redis, self._stream.key(prefix), group, name, min_idle_s)
        self._start = "$" if start == "new" else "0"
        self.poisoned = 0
        """Entries that are no events. Each was logged, acknowledged and passed over."""

    @property
    def trimmed(self) -> int:
        """Events that left the capped stream before this group had acknowledged them."""
        return self._reader.trimmed

    async def __aenter__(self) -> Self:
        """Waits while Redis is away. Raises FatalError if Redis refuses us, or can't serve (`redis_server`)."""
        try:
            for line in await patiently(self._redis, lambda: check(self._redis)):
                _log.warning(line)
            await patiently(self._redis, lambda: self._reader.create(self._start))
        except BaseException:
            await self._redis.aclose()
            raise
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._redis.aclose()

    def __aiter__(self) -> AsyncGenerator[Delivery[Event], None]:
        """Every event, for ever. Raises FatalError if Redis refuses us."""
        return self.only(lambda event: True)

    async def only(self, wanted: Callable[[Event], bool]) -> AsyncGenerator[Delivery[Event], None]:
        """The events for which `wanted` is true; the others are acknowledged at once."""
        self._reader.begin_anew()
        while True:
            for entry in await patiently(self._redis, self._reader.take):
                event = self._event(entry)
                if event is not None and wanted(event):
                    yield Delivery(event, entry[0], self._acknowledge)
                else:
                    await self._acknowledge(entry[0])

    async def _acknowledge(self, entry_id: bytes) -> None:
        await patiently(self._redis, lambda: self._reader.acknowledge(entry_id))

    def _event(self, entry: Entry) -> Event | None:
        """The event in `entry`. None: there is none, and the counters and the log say so."""
        if not entry[1]:
            self._reader.count_trimmed(1)
            return None
        try:
            return self._stream.read(entry)
        except DecodeError as error:
            self.poisoned += 1
            _log.warning("%s; acknowledged and passed over", error)
            return None


class DefectAlerts(_Consumer[Defect]):
    """The line's defects. `delivery.defect` is the event."""

    _stream = DEFECTS


class PartVerdicts(_Consumer[PartVerdict]):
    """The verdicts on parts, if `parts` in line.yaml names the parts' class. `delivery.part` is the event."""

    _stream = PARTS
