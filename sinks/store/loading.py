"""The SQL behind taking partitions over: a few statements, however many partitions and cameras there are."""

from collections.abc import Collection, Sequence
from dataclasses import asdict
from typing import Any

from sqlalchemy import Connection, and_, column, select, tuple_, values

from andon.stream.offsets import Partition
from sinks.judgement.ledger import PrunedLedger, SessionLedger
from sinks.judgement.state import CameraAccount, from_bytes
from sinks.store import pruned, sums, tables
from sinks.store.inserts import add_missing, dialect_insert, upsert
from sinks.store.pruned import SessionKey
from sinks.store.queries import write_states
from sinks.store.stored import Opening, Position, StoredPartition

KEYS = 5_000
"""Ledgers that one statement asks for. It has room for 32,766 parameters on SQLite and for 65,535 on PostgreSQL."""


def positions(
    connection: Connection, partitions: Collection[Partition], *, lock: bool = False
) -> dict[Partition, Position]:
    """The positions of these partitions. With `lock`, nobody else moves them until the transaction ends."""
    table = tables.partitions
    here = tuple_(table.c.topic, table.c.partition).in_([tuple(item) for item in partitions])
    query = select(table).where(here).order_by(table.c.topic, table.c.partition)
    rows = connection.execute(query.with_for_update() if lock else query)
    return {Partition(row.topic, row.partition): Position(row.epoch, row.log, row.next_offset) for row in rows}


def load(connection: Connection, partitions: Collection[Partition]) -> dict[Partition, StoredPartition]:
    """Everything that is stored of these partitions."""
    # the positions first: what a zombie writes in between then gets our next batch refused, and is not overwritten
    stand = positions(connection, partitions)
    cameras = _cameras(connection, {item.partition for item in partitions})
    return {item: StoredPartition(stand.get(item), cameras[item.partition]) for item in partitions}


def _cameras(connection: Connection, numbers: set[int]) -> dict[int, dict[str, CameraAccount]]:
    """By partition and camera, each with the ledgers of its open sessions."""
    table = tables.cameras
    cameras: dict[int, dict[str, CameraAccount]] = {number: {} for number in numbers}
    for row in connection.execute(select(table).where(table.c.partition.in_(numbers))):
        cameras[row.partition][row.camera_id] = CameraAccount(row.camera_id, from_bytes(row.state))
    open_sessions = [
        (number, name, session)
        for number, accounts in cameras.items()
        for name, account in accounts.items()
        for session in account.open_sessions
    ]
    for (number, name, session), ledger in ledgers(connection, open_sessions).items():
        cameras[number][name].sessions[session] = ledger
    return cameras


def ledgers(connection: Connection, keys: Sequence[SessionKey]) -> dict[SessionKey, SessionLedger]:
    """Those of these that are stored; a PrunedLedger stands for one that was pruned."""
    table, found = tables.sessions, {}
    key = (table.c.partition, table.c.camera_id, table.c.session)
    for first in range(0, len(keys), KEYS):
        # a join, since PostgreSQL spends seconds on planning an IN of thousands of keys
        wanted = values(*(column(part.name, part.type) for part in key)).data(keys[first : first + KEYS]).cte("wanted")
        same = and_(*(part == wanted.c[part.name] for part in key))
        for number, name, session, stored in connection.execute(select(*key, table.c.ledger).join(wanted, same)):
            found[number, name, session] = SessionLedger.from_bytes(stored)
    missing = [key for key in keys if key not in found]
    return found | {key: PrunedLedger() for key in pruned.pruned_sessions(connection, missing)}


def begin(connection: Connection, openings: Sequence[Opening]) -> None:
    new = _began(connection, [opening for opening in openings if opening.expected is None])
    moved = _moved(connection, [opening for opening in openings if opening.expected is not None])
    begun = [opening for opening in openings if opening.partition in new | moved]
    add_missing(connection, tables.epochs, [_epoch_row(opening) for opening in begun])
    write_states(connection, [(item.partition.partition, item.at, item.states) for item in begun])
    sums.add(connection, [frames for item in begun for frames in item.frames], (), ())


def _began(connection: Connection, openings: Sequence[Opening]) -> set[Partition]:
    """Begin accounts where there were none. Returns the partitions in which no other sink was faster."""
    if not openings:
        return set()
    table = tables.partitions
    insert = dialect_insert(connection.dialect.name, table).on_conflict_do_nothing()
    rows = connection.execute(insert.returning(table.c.topic, table.c.partition), list(map(_row, openings)))
    return {Partition(topic, number) for topic, number in rows}


def _moved(connection: Connection, openings: Sequence[Opening]) -> set[Partition]:
    """Move accounts on. Returns the partitions that no other sink had moved before."""
    if not openings:
        return set()
    stand = positions(connection, [opening.partition for opening in openings], lock=True)
    standing = [opening for opening in openings if stand.get(opening.partition) == opening.expected]
    upsert(connection, tables.partitions, list(map(_row, standing)))
    return {opening.partition for opening in standing}


def _row(opening: Opening) -> dict[str, Any]:
    return {**opening.partition._asdict(), **asdict(opening.position)}


def _epoch_row(opening: Opening) -> dict[str, Any]:
    position = opening.position
    reason = {"opened_at": opening.at, "first_offset": position.next_offset, "detail": opening.detail}
    return {**opening.partition._asdict(), "epoch": position.epoch, **reason}
