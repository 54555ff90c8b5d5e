"""How far the line was behind over the last hours, minute by minute, in bounded memory: the worst of each minute."""

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sinks.board.latencies import MINUTES
from sinks.board.models.system import BacklogView, ChannelDepth, GroupLag


@dataclass(slots=True)
class Backlogs:
    """Filled by one reader, whether or not somebody looks; a board that starts anew begins without any."""

    _minutes: OrderedDict[int, BacklogView] = field(default_factory=OrderedDict)

    def add(self, at: datetime, lags: Sequence[GroupLag] | None, outbox: Iterable[ChannelDepth]) -> None:
        """`lags`: None while the broker does not answer."""
        number = int(at.timestamp() // 60)
        now = BacklogView(
            at=datetime.fromtimestamp(number * 60, UTC),
            records=None if lags is None else sum(lag.records for lag in lags),
            seconds=None if lags is None else max((lag.seconds for lag in lags), default=0.0),
            outbox=sum(channel.waiting for channel in outbox),
        )
        before = self._minutes.get(number)
        self._minutes[number] = now if before is None else _worse(before, now)
        while len(self._minutes) > MINUTES:
            self._minutes.popitem(last=False)

    def minutes(self) -> list[BacklogView]:
        """In order; a minute in which the store did not answer is left out."""
        return list(self._minutes.values())


def _worse(one: BacklogView, other: BacklogView) -> BacklogView:
    return BacklogView(
        at=one.at,
        records=max((x for x in (one.records, other.records) if x is not None), default=None),
        seconds=max((x for x in (one.seconds, other.seconds) if x is not None), default=None),
        outbox=max(one.outbox, other.outbox),
    )
