"""When a line is over a fault: seen from outside, at each of the places where its results come out."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from redis.asyncio import Redis
from redis.exceptions import RedisError
from sqlalchemy import select

from andon import redis as away
from andon.clock import Clock
from andon.errors import RetryableError
from andon.settings import RedisSettings
from deploy.local.demo.tally import Tally
from deploy.local.process import RoleProcess
from deploy.local.soak.moment import Moment
from sinks.store import queries as rows
from sinks.store import tables
from sinks.store.database import Database

RECOVERY_S = 120.0
"""A line that takes longer is told as one that did not recover."""
CURRENT_S = 3.0
"""Results that are no older than this come as the frames do."""
LOOK_S = 0.25
"""Between two looks: other processes' state can only be asked for."""


@dataclass(frozen=True, slots=True)
class Recovered:
    """After how many seconds each place was seen to work again; None: not within RECOVERY_S."""

    after_s: Mapping[str, float | None]

    @property
    def seconds(self) -> float | None:
        """Until all did."""
        known = [seconds for seconds in self.after_s.values() if seconds is not None]
        return max(known) if len(known) == len(self.after_s) else None

    @property
    def still_away(self) -> list[str]:
        return [name for name, seconds in self.after_s.items() if seconds is None]


class Outlook:
    """Looks at one line."""

    def __init__(
        self, tally: Tally, store: Database, redis: Redis, settings: RedisSettings, roles: Sequence[RoleProcess]
    ) -> None:
        """Whoever opened `store` and `redis` closes them."""
        self._tally = tally
        self._store = store
        self._redis = redis
        self._prefix = settings.prefix
        self._roles = roles

    @property
    def places(self) -> Mapping[str, Callable[[datetime, datetime], Awaitable[bool]]]:
        """Each is asked with (when the fault was over, now)."""
        return {
            "inspected": self._inspected,
            "accounted": self._accounted,
            "alerts": self._alerts_left,
            "live": self._live,
            "roles": self._ready,
        }

    async def _inspected(self, over: datetime, now: datetime) -> bool:
        """Every camera's frames are, as they come."""
        cameras = self._tally.cameras.values()
        return all(item.recent and _current(item.recent[-1], over, now) for item in cameras)

    async def _accounted(self, over: datetime, now: datetime) -> bool:
        """They stand in the store."""
        stored = await self._store.run(rows.everything)
        newest: dict[str, datetime] = {}
        for camera, memory in stored.memories:
            if at := memory.face.last_frame_at:
                newest[camera] = max(at, newest.get(camera, at))
        return all(camera in newest and _current(newest[camera], over, now) for camera in self._tally.cameras)

    async def _alerts_left(self, _over: datetime, now: datetime) -> bool:
        """Alerts and pictures leave: nothing waits for long."""
        oldest = select(tables.outbox.c.created_at).order_by(tables.outbox.c.created_at).limit(1)
        at = await self._store.run(lambda connection: connection.execute(oldest).scalar_one_or_none())
        return at is None or now - at < timedelta(seconds=CURRENT_S)

    async def _live(self, over: datetime, now: datetime) -> bool:
        """Redis shows every camera's latest frame."""
        keys = [f"{self._prefix}:camera:{camera}" for camera in self._tally.cameras]
        shown = [await self._redis.hget(key, "last_frame_at") for key in keys]
        return all(at and _current(datetime.fromisoformat(_text(at)), over, now) for at in shown)

    async def _ready(self, _over: datetime, _now: datetime) -> bool:
        """Who was killed is back."""
        return all([await role.ready() for role in self._roles])


def _text(answer: bytes | str) -> str:
    return answer if isinstance(answer, str) else answer.decode()


def _current(at: datetime, over: datetime, now: datetime) -> bool:
    return at > over and now - at < timedelta(seconds=CURRENT_S)


async def recovered(outlook: Outlook, over: Moment, clock: Clock) -> Recovered:
    """Wait until every place works at the same time."""
    after_s: dict[str, float | None] = dict.fromkeys(outlook.places)
    while clock.monotonic() - over.monotonic_s < RECOVERY_S:
        for name, works in outlook.places.items():
            try:
                well = await works(over.at, clock.now())
            except (RetryableError, RedisError, *away.AWAY):
                well = False
            # what works for a moment and then no more has not recovered
            after_s[name] = (after_s[name] or clock.monotonic() - over.monotonic_s) if well else None
        if None not in after_s.values():
            break
        await asyncio.sleep(LOOK_S)
    return Recovered(after_s)
