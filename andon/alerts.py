"""What an alert consumer imports: the line's defect events from a Redis stream, each at least once.

    async with DefectAlerts("redis://127.0.0.1:6379/0", group="plc") as alerts:
        async for alert in alerts:
            await reject_part(alert.defect)
            await alert.ack()

A group shares the events out among its consumers and remembers what was acknowledged. Redis away means waiting. What
a consumer took and did not acknowledge comes again: to itself at its next start, to anybody after `min_idle_s`.
"""

import logging
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal, Self

from redis.asyncio import Redis

from andon.alert_stream import BLOCK_S, TIMEOUT_S, Entry, GroupReader, Member, defect_in
from andon.errors import DecodeError
from andon.messages import Defect, Severity, Transition
from andon.redis import client, patiently

Start = Literal["new", "beginning"]
"""Where to begin: with the events to come, or with the oldest that the stream holds."""

_SEVERITIES: tuple[Severity, ...] = ("minor", "major", "critical")
_log = logging.getLogger("andon.alerts")


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which events are handed out. None: all."""

    cameras: Collection[str] | None = None
    labels: Collection[str] | None = None
    transitions: Collection[Transition] | None = None
    min_severity: Severity = "minor"

    def __call__(self, defect: Defect) -> bool:
        return (
            (self.cameras is None or defect.camera_id in self.cameras)
            and (self.labels is None or defect.label in self.labels)
            and (self.transitions is None or defect.transition in self.transitions)
            and _SEVERITIES.index(defect.severity) >= _SEVERITIES.index(self.min_severity)
        )


@dataclass(frozen=True, slots=True)
class Alert:
    """One event, handed out to one consumer."""

    defect: Defect
    entry_id: bytes
    """Where it stands in the stream."""
    _ack: Callable[[bytes], Awaitable[None]] = field(repr=False)

    async def ack(self) -> None:
        """Say that it is dealt with: it will not come again. Waits while Redis is away."""
        await self._ack(self.entry_id)


class DefectAlerts:
    """One consumer of a group. Iterate over it in one task; alerts may be acknowledged in any order, from any task."""

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
        """`start` is for a group that does not exist yet; one that does goes on where it was.

        `consumer` (default: this host's name) must be a process's own, and the same after its restart. What any
        consumer has held for longer than `min_idle_s` is handed out again: handle an alert in less.
        Raises ConfigError where `url` is no Redis URL.
        """
        self._redis = client(url, TIMEOUT_S, BLOCK_S)
        member = Member(f"{prefix}:alerts", group, consumer or socket.gethostname(), min_idle_s)
        self._reader = GroupReader(self._redis, member)
        self._start = "$" if start == "new" else "0"
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

    def __aiter__(self) -> AsyncGenerator[Alert, None]:
        """Alerts, for ever. Raises FatalError where Redis refuses us."""
        return self.only(Wanted())

    async def only(self, wanted: Wanted) -> AsyncGenerator[Alert, None]:
        """The alerts that are wanted; the others are acknowledged unseen."""
        self._reader.begin_anew()
        while True:
            for entry in await patiently(self._redis, self._reader.take):
                defect = await self._defect(entry)
                if defect is None or not wanted(defect):
                    await self._acknowledge(entry[0])
                else:
                    yield Alert(defect, entry[0], self._acknowledge)

    async def _acknowledge(self, entry_id: bytes) -> None:
        await patiently(self._redis, lambda: self._reader.acknowledge(entry_id))

    async def _defect(self, entry: Entry) -> Defect | None:
        """The event in `entry`, or None, counted and told, where there is none."""
        if not entry[1]:
            self._reader.tell_trimmed(1)
            return None
        try:
            return defect_in(entry)
        except DecodeError as error:
            self.poisoned += 1
            _log.warning("%s; acknowledged and passed over", error)
            return None


async def tail(url: str, *, start: Start = "new", prefix: str = "andon") -> AsyncGenerator[Defect, None]:
    """The events as they come, without a group: nothing is remembered, nothing acknowledged. For looking on."""
    redis, key = client(url, TIMEOUT_S, BLOCK_S), f"{prefix}:alerts"
    try:
        after = await patiently(redis, partial(_newest, redis, key)) if start == "new" else b"0-0"
        while True:
            for entry in await patiently(redis, partial(_after, redis, key, after)):
                after = entry[0]
                try:
                    yield defect_in(entry)
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
