"""What a consumer imports: the line's defects, or its verdicts on parts, from a Redis stream, each at least once.

    async with DefectAlerts("redis://127.0.0.1:6379/0", group="plc") as alerts:
        async for alert in alerts:
            await stop_the_belt(alert.defect)
            await alert.ack()

    async with PartVerdicts("redis://127.0.0.1:6379/0", group="plc") as parts:
        async for judged in parts:
            await eject_unless_passed(judged.part)
            await judged.ack()

A group shares the events out among its consumers and remembers what was acknowledged. Redis away means waiting. What
a consumer took and did not acknowledge comes again: to itself at its next start, to anybody after `min_idle_s`.
"""

import logging
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from redis.asyncio import Redis

from andon.alert_consumer import Consumer, Start, Stream, Taker
from andon.alert_stream import BLOCK_S, TIMEOUT_S, Entry, defect_in, part_in
from andon.errors import DecodeError
from andon.messages import Defect, PartOutcome, PartVerdict, Severity, Transition
from andon.redis import client, patiently

__all__ = ["Alert", "DefectAlerts", "Judged", "PartVerdicts", "Start", "Wanted", "WantedParts", "tail", "tail_parts"]
Event = TypeVar("Event")
ALERTS = Stream("alerts", defect_in)
PARTS = Stream("parts", part_in)
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


@dataclass(frozen=True, slots=True)
class WantedParts:
    """Which verdicts are handed out. None: all."""

    cameras: Collection[str] | None = None
    verdicts: Collection[PartOutcome] | None = None

    def __call__(self, part: PartVerdict) -> bool:
        return (self.cameras is None or part.camera_id in self.cameras) and (
            self.verdicts is None or part.verdict in self.verdicts
        )


@dataclass(frozen=True, slots=True)
class Judged:
    """One part with its verdict, handed out to one consumer."""

    part: PartVerdict
    entry_id: bytes
    """Where it stands in the stream."""
    _ack: Callable[[bytes], Awaitable[None]] = field(repr=False)

    async def ack(self) -> None:
        """Say that it is dealt with: it will not come again. Waits while Redis is away."""
        await self._ack(self.entry_id)


class DefectAlerts(Consumer[Defect]):
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
        super().__init__(url, ALERTS, Taker(group, consumer, start, min_idle_s, prefix))

    def __aiter__(self) -> AsyncGenerator[Alert, None]:
        """Alerts, for ever. Raises FatalError where Redis refuses us."""
        return self.only(Wanted())

    async def only(self, wanted: Wanted) -> AsyncGenerator[Alert, None]:
        """The alerts that are wanted; the others are acknowledged unseen."""
        async with aclosing(self._handed_out(wanted)) as events:
            async for event in events:
                yield Alert(*event)


class PartVerdicts(Consumer[PartVerdict]):
    """The same for verdicts on parts, where `parts` of line.yaml names the parts' class."""

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
        """As for DefectAlerts."""
        super().__init__(url, PARTS, Taker(group, consumer, start, min_idle_s, prefix))

    def __aiter__(self) -> AsyncGenerator[Judged, None]:
        """Parts, for ever. Raises FatalError where Redis refuses us."""
        return self.only(WantedParts())

    async def only(self, wanted: WantedParts) -> AsyncGenerator[Judged, None]:
        """The parts that are wanted; the others are acknowledged unseen."""
        async with aclosing(self._handed_out(wanted)) as events:
            async for event in events:
                yield Judged(*event)


def tail(url: str, *, start: Start = "new", prefix: str = "andon") -> AsyncGenerator[Defect, None]:
    """The events as they come, without a group: nothing is remembered, nothing acknowledged. For looking on."""
    return _tail(url, ALERTS, start, prefix)


def tail_parts(url: str, *, start: Start = "new", prefix: str = "andon") -> AsyncGenerator[PartVerdict, None]:
    """The same for verdicts on parts."""
    return _tail(url, PARTS, start, prefix)


async def _tail(url: str, stream: Stream[Event], start: Start, prefix: str) -> AsyncGenerator[Event, None]:
    redis, key = client(url, TIMEOUT_S, BLOCK_S), f"{prefix}:{stream.name}"
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
