"""Decides when a line has recovered from a fault, by looking from outside at each place where results come out."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from prometheus_client.parser import text_string_to_metric_families
from redis.asyncio import Redis
from redis.exceptions import RedisError

from andon import redis as away
from andon.clock import Clock
from andon.settings import RedisSettings
from deploy.local.http_get import http_get
from deploy.local.role_process import RoleProcess
from sample_streams.observer import Observer
from tests.soak.moment import Moment

RECOVERY_S = 120.0
"""A line that takes longer has not recovered."""
CURRENT_S = 3.0
"""Results up to this age count as current."""
PROBE_S = 0.25
"""Interval between two probes: the state of another process can only be polled."""
OUTBOX_AGE = "andon_sinks_outbox_age_seconds"


@dataclass(frozen=True, slots=True)
class Recovery:
    """Seconds until each place worked again; None: it did not within RECOVERY_S."""

    after_s: Mapping[str, float | None]

    @property
    def seconds(self) -> float | None:
        """Seconds until all places worked; None: some place did not."""
        known = [seconds for seconds in self.after_s.values() if seconds is not None]
        return max(known) if len(known) == len(self.after_s) else None

    @property
    def missing(self) -> list[str]:
        """The places that did not work again."""
        return [name for name, seconds in self.after_s.items() if seconds is None]


class LineProbe:
    """Probes one line. The caller closes `redis`."""

    def __init__(
        self,
        observer: Observer,
        redis: Redis,
        settings: RedisSettings,
        roles: Sequence[RoleProcess],
        sinks: Sequence[RoleProcess],
    ) -> None:
        self._observer = observer
        self._redis = redis
        self._prefix = settings.prefix
        self._roles = roles
        self._sinks = sinks

    @property
    def places(self) -> Mapping[str, Callable[[datetime, datetime], Awaitable[bool]]]:
        """One check for each place, called with (end of the fault, now)."""
        return {
            "inspected": self._inspected,
            "alerts": self._outbox_empties,
            "live": self._live,
            "roles": self._ready,
        }

    async def _inspected(self, over: datetime, now: datetime) -> bool:
        """Workers inspect every camera's frames as they come."""
        cameras = self._observer.cameras.values()
        return all(item.recent and _current(item.recent[-1], over, now) for item in cameras)

    async def _outbox_empties(self, _over: datetime, _now: datetime) -> bool:
        """No alert and no picture waits in the outbox for long."""
        for sink in self._sinks:
            response = await http_get(f"{sink.role.url}/metrics")
            if response is None or any(age_s >= CURRENT_S for age_s in _values(response.text, OUTBOX_AGE)):
                return False
        return True

    async def _live(self, over: datetime, now: datetime) -> bool:
        """Redis shows every camera's latest frame; sinks write it after the store has committed the frame."""
        keys = [f"{self._prefix}:camera:{camera}" for camera in self._observer.cameras]
        shown = [await self._redis.hget(key, "last_frame_at") for key in keys]
        return all(at and _current(datetime.fromisoformat(_text(at)), over, now) for at in shown)

    async def _ready(self, _over: datetime, _now: datetime) -> bool:
        """Every killed process is ready again."""
        return all([await role.ready() for role in self._roles])


def _values(text: str, name: str) -> list[float]:
    families = text_string_to_metric_families(text)
    return [sample.value for family in families for sample in family.samples if sample.name == name]


def _text(answer: bytes | str) -> str:
    return answer if isinstance(answer, str) else answer.decode()


def _current(at: datetime, over: datetime, now: datetime) -> bool:
    return at > over and now - at < timedelta(seconds=CURRENT_S)


async def wait_for_recovery(probe: LineProbe, over: Moment, clock: Clock) -> Recovery:
    """Wait until every place works at the same time, at most RECOVERY_S after `over`."""
    after_s: dict[str, float | None] = dict.fromkeys(probe.places)
    while clock.monotonic() - over.monotonic_s < RECOVERY_S:
        for name, check in probe.places.items():
            try:
                works = await check(over.at, clock.now())
            except (RedisError, *away.AWAY):
                works = False
            # a place that works for a moment and then fails again has not recovered
            after_s[name] = (after_s[name] or clock.monotonic() - over.monotonic_s) if works else None
        if None not in after_s.values():
            break
        await asyncio.sleep(PROBE_S)
    return Recovery(after_s)
