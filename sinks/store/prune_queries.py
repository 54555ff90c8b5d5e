"""The SQL of retention: deletes old rows, a few in each transaction.

Never deleted: a session that is open or that the next record may change, a defect that is not closed, the outbox.
What is deleted is added to the totals in `pruned` in the same transaction, so no sum over the account changes.

A sink prunes the partitions that it owns. Whoever prunes holds the lock of the partition's row meanwhile, so two of
them, or one and the partition's account, take turns. Each DELETE counts the rows that it returns, so a row is counted
by one of them only.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, delete, func, select

from sinks.judgement.ledger import SessionLedger
from sinks.judgement.state import CameraAccount, from_bytes
from sinks.judgement.tally import total
from sinks.store import old_rows, pruned, tables
from sinks.store.old_rows import Cutoffs, Target
from sinks.store.pruned import PrunedTotals

ROWS = 200
"""Rows that one transaction deletes: a few milliseconds, for which the partition's account waits."""
QUARTERS = (tables.quarters, tables.quarter_classes)


@dataclass(frozen=True, slots=True)
class PruneCounts:
    """Rows by table."""

    parts: int = 0
    defects: int = 0
    defect_events: int = 0
    spans: int = 0
    sessions: int = 0
    epochs: int = 0
    quarters: int = 0
    quarter_classes: int = 0
    labels: int = 0
    alarms: int = 0
    alarm_events: int = 0

    def __add__(self, other: "PruneCounts") -> "PruneCounts":
        return PruneCounts(**{name: count + getattr(other, name) for name, count in asdict(self).items()})

    @property
    def rows(self) -> int:
        return sum(asdict(self).values())


@dataclass(frozen=True, slots=True)
class SessionAccount:
    """A session's whole account, and when it changed last, by the sinks' clock."""

    ledger: SessionLedger
    changed_at: datetime


def targets(connection: Connection, partitions: frozenset[int] | None) -> list[Target]:
    """The cameras of these partitions; None: of all."""
    table = tables.cameras
    query = select(table.c.camera_id, table.c.partition).order_by(table.c.partition, table.c.camera_id)
    if partitions is not None:
        query = query.where(table.c.partition.in_(sorted(partitions)))
    return [Target(row.camera_id, row.partition) for row in connection.execute(query)]


def prune(connection: Connection, target: Target, before: Cutoffs) -> PruneCounts:
    """Delete up to ROWS rows of each table; call it again until it deletes nothing."""
    _lock(connection, [target.partition])
    parts = _delete(connection, tables.parts, old_rows.old_parts(target, before), "verdict")
    spans = _delete(connection, tables.spans, old_rows.old_spans(target, before), "started_at", "ended_at")
    defects = _delete(connection, tables.defects, old_rows.old_defects(target, before), "defect_id", "label")
    events = _delete_events(connection, [row.defect_id for row in defects])
    epochs = _delete_epochs(connection, target.partition, before.sessions)
    counts = PruneCounts(len(parts), len(defects), events, len(spans), 0, epochs) + _delete_board_rows(
        connection, target, before
    )
    totals = PrunedTotals(
        parts=Counter(row.verdict for row in parts),
        defects=Counter(row.label for row in defects),
        spans=len(spans),
        seconds=sum((row.ended_at - row.started_at).total_seconds() for row in spans),
    )
    if counts.rows:
        pruned.add(connection, target.camera_id, target.partition, totals)
    return counts


def count(connection: Connection, target: Target, before: Cutoffs) -> PruneCounts:
    """The rows of a camera that `prune` and `prune_sessions` would delete by and by, epochs excepted."""
    old = old_rows.old_defects(target, before)
    defects = select(tables.defects.c.defect_id).where(*old)
    return PruneCounts(
        parts=_count(connection, tables.parts, old_rows.old_parts(target, before)),
        defects=_count(connection, tables.defects, old),
        defect_events=_count(connection, tables.defect_events, [tables.defect_events.c.defect_id.in_(defects)]),
        spans=_count(connection, tables.spans, old_rows.old_spans(target, before)),
        sessions=_count_sessions(connection, target, before.sessions),
        quarters=_count(connection, tables.quarters, old_rows.old_quarters(tables.quarters, target, before)),
        quarter_classes=_count(
            connection, tables.quarter_classes, old_rows.old_quarters(tables.quarter_classes, target, before)
        ),
        alarms=_count(connection, tables.alarms, old_rows.old_alarms(target, before)),
        alarm_events=_count(connection, tables.alarm_events, old_rows.old_alarm_events(target, before)),
        labels=_count(connection, tables.labels, old_rows.old_labels(target, before)),
    )


def count_epochs(connection: Connection, before: Cutoffs) -> PruneCounts:
    """The epochs that `prune` would delete."""
    numbers = set(connection.execute(select(tables.partitions.c.partition)).scalars())
    counts = [_count(connection, tables.epochs, old_rows.old_epochs(number, before.sessions)) for number in numbers]
    return PruneCounts(epochs=sum(counts))


@dataclass(frozen=True, slots=True)
class SessionStep:
    """The last session that was looked at, None if there was none any more; and how many were deleted."""

    last: str | None
    deleted: int


def prune_sessions(connection: Connection, target: Target, before: datetime, after: str) -> SessionStep:
    """Look at the next ROWS old sessions whose names follow on `after`, and delete those that are over."""
    names = _old_sessions(connection, target, before, after)
    if not names:
        return SessionStep(None, 0)
    partitions = _partitions(connection, target.camera_id, names)
    _lock(connection, partitions)
    rows = _ended(connection, target.camera_id, before, names)
    if rows:
        _retire(connection, target, partitions, rows)
    return SessionStep(names[-1], len(rows))


def _retire(
    connection: Connection, target: Target, partitions: Sequence[int], rows: Mapping[str, SessionAccount]
) -> None:
    """Delete these sessions; their accounts enter the totals."""
    table = tables.sessions
    connection.execute(delete(table).where(table.c.camera_id == target.camera_id, table.c.session.in_(list(rows))))
    for partition in partitions:
        changes = [(name, account.changed_at) for name, account in rows.items()]
        pruned.widen(connection, target.camera_id, partition, changes)
    ledger = total(account.ledger.tally() for account in rows.values())
    pruned.add(connection, target.camera_id, target.partition, PrunedTotals(ledger=ledger, sessions=len(rows)))


def _count_sessions(connection: Connection, target: Target, before: datetime) -> int:
    counted, after = 0, ""
    while names := _old_sessions(connection, target, before, after):
        counted += len(_ended(connection, target.camera_id, before, names))
        after = names[-1]
    return counted


def _old_sessions(connection: Connection, target: Target, before: datetime, after: str) -> list[str]:
    """The next ROWS sessions that changed last before this moment, in the order of their names."""
    table = tables.sessions
    here = (table.c.camera_id == target.camera_id, table.c.partition == target.partition)
    query = select(table.c.session).where(*here, table.c.changed_at < before, table.c.session > after)
    return list(connection.execute(query.order_by(table.c.session).limit(ROWS)).scalars())


def _ended(connection: Connection, camera_id: str, before: datetime, names: Sequence[str]) -> dict[str, SessionAccount]:
    """The account of each of these sessions that is over in every partition of its camera."""
    table = tables.sessions
    query = select(table).where(table.c.camera_id == camera_id, table.c.session.in_(list(names)))
    parts: dict[str, list[Any]] = {}
    for row in connection.execute(query.order_by(table.c.session)):
        parts.setdefault(row.session, []).append(row)
    kept = _open_sessions(connection, camera_id)
    kept |= {name for name, rows in parts.items() if any(row.changed_at is None for row in rows)}
    accounts = {name: _account(rows) for name, rows in parts.items() if name not in kept}
    return {
        name: account
        for name, account in accounts.items()
        if account.ledger.ended is not None and account.changed_at < before
    }


def _account(rows: Sequence[Any]) -> SessionAccount:
    ledger = SessionLedger.joined(SessionLedger.from_bytes(row.ledger) for row in rows)
    return SessionAccount(ledger, max(row.changed_at for row in rows))


def _open_sessions(connection: Connection, camera_id: str) -> set[str]:
    table = tables.cameras
    states = connection.execute(select(table.c.state).where(table.c.camera_id == camera_id)).scalars()
    return {name for state in states for name in CameraAccount(camera_id, from_bytes(state)).open_sessions}


def _partitions(connection: Connection, camera_id: str, names: Sequence[str]) -> list[int]:
    """All partitions that hold a part of these sessions: a camera moves when partitions are added."""
    table = tables.sessions
    query = select(table.c.partition).where(table.c.camera_id == camera_id, table.c.session.in_(list(names)))
    return sorted(set(connection.execute(query).scalars()))


def _lock(connection: Connection, partitions: Sequence[int]) -> None:
    """Until the transaction ends no batch of these partitions is written. SQLite has locked the whole file already."""
    table = tables.partitions
    query = select(table.c.partition).where(table.c.partition.in_(list(partitions)))
    connection.execute(query.order_by(table.c.topic, table.c.partition).with_for_update()).all()


def _delete(connection: Connection, table: Table, old: Sequence[ColumnElement[bool]], *returned: str) -> Sequence[Any]:
    """Delete up to ROWS rows of one camera, and return these columns of those deleted."""
    key = list(table.primary_key)[-1]  # the others, if there are any, are the camera
    chosen = list(connection.execute(select(key).where(*old).limit(ROWS)).scalars())
    if not chosen:
        return []
    columns = [table.c[name] for name in returned]
    return connection.execute(delete(table).where(*old, key.in_(chosen)).returning(*columns)).all()


def _delete_events(connection: Connection, defects: Iterable[str]) -> int:
    table = tables.defect_events
    return connection.execute(delete(table).where(table.c.defect_id.in_(list(defects)))).rowcount


def _delete_board_rows(connection: Connection, target: Target, before: Cutoffs) -> PruneCounts:
    old = {table.name: old_rows.old_quarters(table, target, before) for table in QUARTERS}
    return PruneCounts(
        quarters=len(_delete(connection, tables.quarters, old["quarters"], "quarter")),
        quarter_classes=len(_delete(connection, tables.quarter_classes, old["quarter_classes"], "quarter")),
        alarms=len(_delete(connection, tables.alarms, old_rows.old_alarms(target, before), "alarm_id")),
        alarm_events=len(
            _delete(connection, tables.alarm_events, old_rows.old_alarm_events(target, before), "event_id")
        ),
        labels=len(_delete(connection, tables.labels, old_rows.old_labels(target, before), "id")),
    )


def _delete_epochs(connection: Connection, partition: int, before: datetime) -> int:
    return connection.execute(delete(tables.epochs).where(*old_rows.old_epochs(partition, before))).rowcount


def _count(connection: Connection, table: Table, old: Sequence[ColumnElement[bool]]) -> int:
    return int(connection.execute(select(func.count()).select_from(table).where(*old)).scalar_one())
