"""What an audit must know besides the store: the time, the lag of the groups, and how long work may stand still."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sinks.judgement.rhythm import SilenceRule


@dataclass(frozen=True, slots=True)
class ConsumerGroup:
    """The lag of one consumer group."""

    name: str
    topic: str
    records: int
    oldest_s: float
    """Age of the oldest record that it has not finished; 0 without lag."""


@dataclass(frozen=True, slots=True)
class Circumstances:
    """Facts that are not in the store."""

    now: datetime
    lag: int | None
    """Records that workers and sinks have not read yet; None if the broker does not answer."""
    silence_s: float
    own_silence_s: Mapping[str, float] = field(default_factory=dict)
    """`silence_s` of the cameras that have one of their own."""
    stalled_s: float = math.inf
    """For how long work may stand still (`run.stalled_s`)."""
    workers: tuple[ConsumerGroup, ...] = ()
    """The lag of each pool's group, if the broker answers."""
    sinks: ConsumerGroup | None = None
    watched: frozenset[str] | None = None
    """The cameras that should deliver; None: all that the store knows."""
    registered: Mapping[str, datetime] = field(default_factory=dict)
    """The enabled cameras of the registry, each with when it was added or changed; empty: the registry is not known."""

    def silence(self, camera_id: str) -> SilenceRule:
        return SilenceRule(self.silence_s, self.own_silence_s.get(camera_id))

    @property
    def known_at(self) -> datetime | None:
        """Up to when the store knows what happened. None: no longer than each camera's last status says."""
        if not self.lag:
            return self.now
        if self.sinks is None:
            return None
        behind_s = max((group.oldest_s for group in self.workers), default=0.0) + self.sinks.oldest_s
        return self.now - timedelta(seconds=behind_s)
