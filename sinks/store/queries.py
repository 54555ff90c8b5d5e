"""The SQL behind `store`: each function is, or is part of, one transaction on the store's thread."""

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, Delete, Select, Update, bindparam, delete, func, select, text, update

from andon.messages import Defect, PartVerdict
from andon.stream.offsets import Partition
from sinks.judgement.ledger import PrunedLedger, SessionLedger
from sinks.judgement.spans import Span
from sinks.judgement.state import CameraAccount, from_bytes, to_bytes
from sinks.outbox_item import OutboxItem
from sinks.store import alarm_rows, pruned, sums, tables
from sinks.store.inserts import add_missing, add_new, upsert
from sinks.store.stored import Batch, Leaving, StoredAccounts


class RefusedError(Exception):
    """The stored offset is not the one that the batch began at. Rolls the transaction back."""

    def __init__(self, partition: Partition) -> None:
        super().__init__(partition)
        self.partition = partition


def everything(connection: Connection) -> StoredAccounts:
    if connection.dialect.name == "postgresql":  # else a session that is pruned between two reads is counted in both
        connection.execute(text("set transaction isolation level repeatable read"))
    camera, session, span = tables.cameras, tables.sessions, tables.spans
    parts: dict[tuple[str, str], list[SessionLedger]] = {}
    changes: list[datetime] = []
    for row in connection.execute(select(session).order_by(session.c.camera_id, session.c.session)):
        changes += [row.changed_at] if row.changed_at is not None else []
        parts.setdefault((row.camera_id, row.session), []).append(SessionLedger.from_bytes(row.ledger))
    states = connection.execute(select(camera.c.camera_id, camera.c.state).order_by(camera.c.camera_id))
    spans = connection.execute(select(span).order_by(span.c.started_at, span.c.camera_id)).mappings()
    return StoredAccounts(
        [(row.camera_id, from_bytes(row.state)) for row in states],
        {key: SessionLedger.joined(ledgers) for key, ledgers in parts.items()},
        [Span(**row) for row in spans],
        pruned.everything(connection),
        max(changes, default=None),
    )


def write_all(connection: Connection, batches: Sequence[Batch]) -> None:
    """One statement a table for all of them: with many cameras it is the statements that cost."""
    for batch in batches:
        _advance(connection, batch)
    write_states(connection, [(batch.partition.partition, batch.at, batch.states) for batch in batches])
    events = [event for batch in batches for event in batch.events]
    spans = [span for batch in batches for span in batch.spans if span.ended_at is not None]
    verdicts = [verdict for batch in batches for verdict in batch.verdicts]
    upsert(connection, tables.defects, _latest(events))
    new_events = add_new(connection, tables.defect_events, [_event_row(event) for event in events])
    new_parts = add_new(connection, tables.parts, [_part_row(verdict) for verdict in verdicts])
    sums.add(
        connection,
        [item for batch in batches for item in batch.frames],
        [event for event in events if event.transition == "opened" and event.event_id in new_events],
        [verdict for verdict in verdicts if verdict.part_id in new_parts],
    )
    add_missing(connection, tables.spans, [_span_row(span) for span in spans])
    alarms = [alarm for batch in batches for alarm in batch.alarms]
    upsert(connection, tables.alarms, alarm_rows.latest(alarms))
    add_missing(connection, tables.alarm_events, [alarm_rows.event_row(alarm) for alarm in alarms])
    add_missing(connection, tables.outbox, [_outbox_row(item, batch) for batch in batches for item in batch.leaving])


def write_states(connection: Connection, changes: Sequence[tuple[int, datetime, Sequence[CameraAccount]]]) -> None:
    """`changes`: for each partition the time of the change, and its cameras that have changed."""
    states = [
        {"camera_id": camera.camera_id, "partition": partition, "state": to_bytes(camera.state)}
        for partition, _, cameras in changes
        for camera in cameras
    ]
    upsert(connection, tables.cameras, states)
    upsert(connection, tables.sessions, _ledger_rows(connection, changes))


def _ledger_rows(
    connection: Connection, changes: Sequence[tuple[int, datetime, Sequence[CameraAccount]]]
) -> list[dict[str, Any]]:
    """The changed ledgers. One that was pruned while a process had it in memory stays pruned: its totals are kept."""
    changed = {
        (partition, camera.camera_id, name): (ledger, at)
        for partition, at, cameras in changes
        for camera in cameras
        for name, ledger in camera.sessions.items()
        if name in camera.changed and not isinstance(ledger, PrunedLedger)
    }
    ended = [key for key, (ledger, _) in changed.items() if ledger.ended is not None]
    gone = pruned.pruned_sessions(connection, ended)
    return [
        {
            "camera_id": camera_id,
            "session": name,
            "partition": partition,
            "ledger": ledger.to_bytes(),
            "changed_at": at,
        }
        for (partition, camera_id, name), (ledger, at) in changed.items()
        if (partition, camera_id, name) not in gone
    ]


def _advance(connection: Connection, batch: Batch) -> None:
    where = {
        "in_topic": batch.partition.topic,
        "in_partition": batch.partition.partition,
        "in_epoch": batch.expected.epoch,
        "from_offset": batch.expected.next_offset,
    }
    moved = connection.execute(_advancing(), where | {"next_offset": batch.next_offset})
    if moved.rowcount != 1:
        raise RefusedError(batch.partition)


@cache
def _advancing() -> Update:
    table = tables.partitions
    return update(table).where(
        table.c.topic == bindparam("in_topic"),
        table.c.partition == bindparam("in_partition"),
        table.c.epoch == bindparam("in_epoch"),
        table.c.next_offset == bindparam("from_offset"),
    )


def _latest(events: Sequence[Defect]) -> list[dict[str, Any]]:
    """One row for each defect, by its last event."""
    return list({event.defect_id: _defect_row(event) for event in events}.values())


def _defect_row(event: Defect) -> dict[str, Any]:
    return {
        "defect_id": event.defect_id,
        "camera_id": event.camera_id,
        "session": event.session,
        "label": event.label,
        "severity": event.severity,
        "transition": event.transition,
        "confidence": event.confidence,
        "opened_at": event.opened_at,
        "changed_at": event.at,
        "evidence": event.evidence,
        "part_id": event.part_id,
        "latest": event.model_dump_json(),
    }


def _event_row(event: Defect) -> dict[str, Any]:
    body = event.model_dump_json()
    return {"event_id": event.event_id, "defect_id": event.defect_id, "at": event.at, "event": body}


def _part_row(verdict: PartVerdict) -> dict[str, Any]:
    return {
        "part_id": verdict.part_id,
        "camera_id": verdict.camera_id,
        "session": verdict.session,
        "label": verdict.label,
        "verdict": verdict.verdict,
        "reason": verdict.reason,
        "defects": len(verdict.defects),
        "first_frame": verdict.first_frame,
        "last_frame": verdict.last_frame,
        "frames": verdict.frames,
        "crossed_at": verdict.crossed_at,
        "at": verdict.at,
        "event": verdict.model_dump_json(),
    }


def _span_row(span: Span) -> dict[str, Any]:
    return {
        "camera_id": span.camera_id,
        "started_at": span.started_at,
        "ended_at": span.ended_at,
        "reason": span.reason,
        "watched": span.watched,
    }


def _outbox_row(item: Leaving, batch: Batch) -> dict[str, Any]:
    return {
        "channel": item.channel,
        "partition": batch.partition.partition,
        "event_id": item.event_id,
        "payload": item.payload,
        "created_at": batch.at,
        "attempts": 0,
        "traceparent": item.traceparent,
    }


def waiting(connection: Connection, channel: str, partitions: frozenset[int], limit: int) -> list[OutboxItem]:
    given = {"of_channel": channel, "in_partitions": sorted(partitions), "most": limit}
    return [OutboxItem(**row) for row in connection.execute(_waiting(), given).mappings()]


@cache
def _waiting() -> Select[Any]:
    table = tables.outbox
    ours = table.c.partition.in_(bindparam("in_partitions", expanding=True))
    return (
        select(table)
        .where(table.c.channel == bindparam("of_channel"), ours)
        .order_by(table.c.id)
        .limit(bindparam("most"))
    )


def sent(connection: Connection, ids: Sequence[int]) -> None:
    connection.execute(_sent(), {"these": list(ids)})


@cache
def _sent() -> Delete:
    return delete(tables.outbox).where(tables.outbox.c.id.in_(bindparam("these", expanding=True)))


def failed(connection: Connection, ids: Sequence[int]) -> None:
    attempts = tables.outbox.c.attempts
    counted = update(tables.outbox).where(tables.outbox.c.id.in_(list(ids))).values(attempts=attempts + 1)
    connection.execute(counted)


def depth(connection: Connection, partitions: frozenset[int]) -> dict[str, tuple[int, datetime | None]]:
    rows = connection.execute(_depth(), {"in_partitions": sorted(partitions)})
    return {channel: (count, oldest) for channel, count, oldest in rows}


@cache
def _depth() -> Select[Any]:
    table = tables.outbox
    ours = table.c.partition.in_(bindparam("in_partitions", expanding=True))
    counted = select(table.c.channel, func.count(table.c.id), func.min(table.c.created_at))
    return counted.where(ours).group_by(table.c.channel)


def give_up_others(
    connection: Connection, channels: frozenset[str], partitions: frozenset[int], before: datetime
) -> dict[str, int]:
    table = tables.outbox
    others = (
        table.c.channel.not_in(sorted(channels)),
        table.c.partition.in_(sorted(partitions)),
        table.c.created_at < before,
    )
    counted = select(table.c.channel, func.count(table.c.id).label("items")).where(*others).group_by(table.c.channel)
    counts = {row.channel: row.items for row in connection.execute(counted)}
    if counts:
        connection.execute(delete(table).where(*others))
    return counts
