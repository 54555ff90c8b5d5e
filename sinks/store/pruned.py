"""The totals of pruned rows, and which sessions were pruned.

One row for each camera and partition, so this never grows. A session's account leaves the table `sessions` and enters
the totals in the same transaction: the sum of both is the camera's account before and after.

A record of a pruned session may still come: from a topic with a longer retention than the settings say, or from the
spool of a host that was off for a year. Taken for a new session, it would end the current one and count twice. So the
row also holds the names of the first and the last pruned session; names sort by their start, and a session between the
two that has no row of its own is closed. A session that started more than MAX_SESSION before it was pruned, or after
it, does not widen that range: the clock of its host was wrong, and the range must not cover sessions still to come.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from pydantic import TypeAdapter
from sqlalchemy import Connection, select, tuple_

from andon.messages import session_began
from sinks.judgement.tally import Tally, total
from sinks.store import tables

MAX_SESSION = timedelta(days=366)
MAX_SKEW = timedelta(days=1)
EMPTY = total(())
SessionKey = tuple[int, str, str]
"""(partition, camera, session)"""


@dataclass(frozen=True, slots=True)
class PrunedTotals:
    """What the pruned rows of one camera add up to."""

    ledger: Tally = EMPTY
    sessions: int = 0
    parts: Mapping[str, int] = field(default_factory=dict)
    """By verdict."""
    defects: Mapping[str, int] = field(default_factory=dict)
    """By label."""
    spans: int = 0
    seconds: float = 0.0
    """The length of all pruned spans."""

    def __add__(self, other: "PrunedTotals") -> "PrunedTotals":
        return PrunedTotals(
            ledger=total((self.ledger, other.ledger)),
            sessions=self.sessions + other.sessions,
            parts=Counter(self.parts) + Counter(other.parts),
            defects=Counter(self.defects) + Counter(other.defects),
            spans=self.spans + other.spans,
            seconds=self.seconds + other.seconds,
        )


@dataclass(frozen=True, slots=True)
class SessionRange:
    """The names of the first and the last pruned session; empty: there is none yet."""

    first: str = ""
    last: str = ""

    def covers(self, session: str) -> bool:
        return bool(self.first) and self.first <= session <= self.last

    def widened(self, session: str, ended_at: datetime) -> "SessionRange":
        """The range with a session that changed last at `ended_at`, by the clock of the sinks."""
        started_at = session_began(session)
        if started_at is None or not ended_at - MAX_SESSION <= started_at <= ended_at + MAX_SKEW:
            return self
        return SessionRange(min(self.first or session, session), max(self.last, session))


@dataclass(frozen=True, slots=True)
class PrunedRow:
    totals: PrunedTotals = PrunedTotals()
    sessions: SessionRange = SessionRange()


_TOTALS = TypeAdapter(PrunedTotals)


def add(connection: Connection, camera_id: str, partition: int, totals: PrunedTotals) -> None:
    """Add to the totals of a camera. The caller holds the lock of the partition."""
    row = _row(connection, camera_id, partition)
    _write(connection, camera_id, partition, replace(row, totals=row.totals + totals))


def widen(connection: Connection, camera_id: str, partition: int, sessions: Iterable[tuple[str, datetime]]) -> None:
    """Sessions were pruned: (name, when its ledger changed last). The caller holds the lock of the partition."""
    row = _row(connection, camera_id, partition)
    known = row.sessions
    for name, changed_at in sessions:
        known = known.widened(name, changed_at)
    _write(connection, camera_id, partition, replace(row, sessions=known))


def pruned_sessions(connection: Connection, keys: Sequence[SessionKey]) -> set[SessionKey]:
    """Those of these sessions that were pruned: in the range of their camera, and without a row of their own."""
    if not keys:
        return set()
    rows = _rows(connection, {(partition, camera) for partition, camera, _ in keys})
    covered = [key for key in keys if key[:2] in rows and rows[key[:2]].sessions.covers(key[2])]
    if not covered:
        return set()
    table = tables.sessions
    key = tuple_(table.c.partition, table.c.camera_id, table.c.session)
    stored = connection.execute(
        select(table.c.partition, table.c.camera_id, table.c.session).where(key.in_(covered))
    ).all()
    return set(covered) - {tuple(row) for row in stored}


def everything(connection: Connection) -> dict[str, PrunedTotals]:
    """The totals of all cameras."""
    table = tables.pruned
    found: dict[str, PrunedTotals] = {}
    for row in connection.execute(select(table).order_by(table.c.camera_id, table.c.partition)):
        found[row.camera_id] = found.get(row.camera_id, PrunedTotals()) + _TOTALS.validate_json(row.totals)
    return found


def _row(connection: Connection, camera_id: str, partition: int) -> PrunedRow:
    return _rows(connection, {(partition, camera_id)}).get((partition, camera_id), PrunedRow())


def _write(connection: Connection, camera_id: str, partition: int, row: PrunedRow) -> None:
    table = tables.pruned
    values = {
        "first_session": row.sessions.first,
        "last_session": row.sessions.last,
        "totals": _TOTALS.dump_json(row.totals),
    }
    key = (table.c.camera_id == camera_id, table.c.partition == partition)
    if connection.execute(table.update().where(*key).values(values)).rowcount == 0:
        connection.execute(table.insert().values({"camera_id": camera_id, "partition": partition, **values}))


def _rows(connection: Connection, cameras: Collection[tuple[int, str]]) -> dict[tuple[int, str], PrunedRow]:
    """By partition and camera."""
    table = tables.pruned
    query = select(table).where(tuple_(table.c.partition, table.c.camera_id).in_(sorted(cameras)))
    return {
        (row.partition, row.camera_id): PrunedRow(
            _TOTALS.validate_json(row.totals), SessionRange(row.first_session, row.last_session)
        )
        for row in connection.execute(query)
    }
