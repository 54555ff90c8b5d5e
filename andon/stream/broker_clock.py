"""The line's time: this host's clock while the brokers' clocks agree with it, else a broker's.

A broker stamps each record with the time at which it appended it. So each process holds its host's clock against the
brokers' whenever a record comes or goes. All of it is computed on the monotonic clock: a host's clock that is set, or
that started in the wrong year, moves nothing; it only changes by how much it is off.

The embedded broker, and a topic with `message.timestamp.type=CreateTime`, stamp nothing: then the host's clock counts.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

from andon.clock import Clock
from andon.stream.clock_bounds import SETTLE_S, Bounds, BoundsOfBroker

SKEW_S = 0.5
"""From here on a host's clock is off: it is reported, and the broker's time counts."""
AGREE_S = 0.25
"""A clock that was off is right again below this."""
FORGET_S = 60.0
"""A broker that has stamped nothing for longer is left out while another one does."""
RESOLUTION_S = 0.001
"""Kafka cuts its times off to milliseconds."""
PREEMPTED_S = 0.01
"""Two clocks that were read further apart than this are read again."""


class BrokerClock:
    """A Clock whose `now` is the line's time. What is measured comes from the event loop; any thread may read."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._brokers: dict[str, BoundsOfBroker] = {}
        self._stamped = True
        """False: records come back without a broker's time."""
        self._skewed = False
        self._started_s = clock.monotonic()
        self._first_base_s = self._base_s()
        self._base_s_before = self._last_base_s = self._first_base_s
        self._set_at_s = -SETTLE_S

    # ---- the time

    def monotonic(self) -> float:
        return self._clock.monotonic()

    def now(self) -> datetime:
        """The line's time. It follows no step of the host's clock once a broker's clock is known."""
        off_s = self._off_s(self._base_s())
        return self._clock.now() - timedelta(seconds=off_s)

    def earliest(self) -> datetime:
        """The earliest time that it may be by the broker's clock. Only a frame that is too old by it is too old.

        Before a worker has sent anything, it knows only that it is later than the newest record that it has read.
        """
        now_s, base_s = self._clock.monotonic(), self._base_s()
        lows = [low for broker in self._brokers.values() for low in broker.lows_s(now_s)]
        if lows and self._stamped:
            return _moment(now_s + min(lows))
        settling = now_s - self._set_at_s < SETTLE_S
        return _moment(now_s + (min(base_s, self._base_s_before) if settling else base_s))

    def host(self) -> datetime:
        """The host's own time."""
        return self._clock.now()

    @property
    def known(self) -> bool:
        """A broker's clock has been measured."""
        return any(bounds.whole for bounds in self._bounds())

    @property
    def settled(self) -> bool:
        """Whether there is nothing left to find out: a broker's clock is known, or no broker tells its time."""
        return self.known or not self._stamped

    @property
    def offset_s(self) -> float | None:
        """How far the host's clock is ahead of `now`, in seconds; 0 below SKEW_S. None: no broker's clock is known."""
        return round(self._off_s(self._base_s()), 3) if self.known else None

    def offsets(self) -> Mapping[str, float]:
        """How far the host's clock is proven to be ahead of each broker's, in seconds; below 0: behind."""
        now_s, base_s = self._clock.monotonic(), self._base_s()
        return {name: broker.at(now_s).excess_s(base_s) for name, broker in self._brokers.items()}

    def redated(self, at: datetime) -> tuple[datetime, float] | None:
        """What `now` would have said instead of `at` if the broker's clock had been known, and the difference.

        None: it is still not known, or this process has not said `at`.
        """
        then_s = at.timestamp() - self._first_base_s
        if not self.known or not -SETTLE_S < then_s - self._started_s <= self._clock.monotonic() - self._started_s + 1:
            return None
        excess_s = _nearest(bounds.excess_s(self._first_base_s) for bounds in self._bounds() if bounds.whole)
        off_s = round(excess_s, 3) if abs(excess_s) >= SKEW_S else 0.0
        return at - timedelta(seconds=off_s), off_s

    # ---- what is measured; a broker's times are milliseconds since 1970, all others monotonic seconds

    def acknowledged(self, broker: str, sent_s: float, appended_ms: int) -> None:
        """`broker` has just acknowledged a record that was sent at `sent_s` and appended at `appended_ms`."""
        now_s, appended_s = self._clock.monotonic(), appended_ms / 1000
        self._learn(broker, Bounds(appended_s - now_s, appended_s + RESOLUTION_S - sent_s))

    def read(self, broker: str, appended_ms: int) -> None:
        """A record that `broker` appended at `appended_ms` has just been read."""
        self._learn(broker, Bounds(low_s=appended_ms / 1000 - self._clock.monotonic()))

    def followed(self, broker: str, asked_s: float, appended_ms: int) -> None:
        """`broker` appended a record at `appended_ms`, after it had been asked something at `asked_s`."""
        self._learn(broker, Bounds(high_s=appended_ms / 1000 + RESOLUTION_S - asked_s))

    def unstamped(self) -> None:
        """A record came back without a broker's time."""
        self._stamped = bool(self._brokers)

    def _learn(self, broker: str, news: Bounds) -> None:
        now_s = self._clock.monotonic()
        bounds = self._brokers.get(broker) or BoundsOfBroker()
        bounds.learn(news, now_s)
        others = {name: other for name, other in self._brokers.items() if now_s - other.heard_s < FORGET_S}
        self._brokers, self._stamped = {**others, broker: bounds}, True

    def look(self) -> float:
        """By how much the host's clock was set since the last look, in seconds; 0: it was not. Call it each second."""
        base_s, before_s = self._base_s(), self._last_base_s
        self._last_base_s = base_s
        if abs(base_s - before_s) < SKEW_S:
            return 0.0
        self._base_s_before, self._set_at_s = before_s, self._clock.monotonic()
        return base_s - before_s

    # ---- the host's clock

    def _base_s(self) -> float:
        """The host's clock minus its monotonic clock: it changes only when the host's clock is set."""
        for _ in range(3):
            before_s = self._clock.monotonic()
            host_s = self._clock.now().timestamp()
            after_s = self._clock.monotonic()
            if after_s - before_s < PREEMPTED_S:
                break
        return host_s - (before_s + after_s) / 2

    def _bounds(self) -> list[Bounds]:
        now_s = self._clock.monotonic()
        return [broker.at(now_s) for broker in self._brokers.values()]

    def _off_s(self, base_s: float) -> float:
        """How far the host's clock is ahead of the line's time."""
        bounds = self._bounds()
        whole = [item for item in bounds if item.whole]
        if whole:
            excess_s = _nearest(item.excess_s(base_s) for item in whole)
            self._skewed = abs(excess_s) >= (AGREE_S if self._skewed else SKEW_S)
            return excess_s if self._skewed else 0.0
        if not self._stamped:
            return 0.0
        # until it is known where they lead, steps of the host's clock are not followed
        off_s = base_s - self._first_base_s + _nearest(item.excess_s(self._first_base_s) for item in bounds)
        return off_s if abs(off_s) >= SKEW_S else 0.0


def _nearest(excesses_s: Iterable[float]) -> float:
    """A clock that one of the brokers confirms is right. 0 without any."""
    return min(excesses_s, key=abs, default=0.0)


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
