"""What the store knows of one camera: its sessions, and times without frames."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, select

from andon.messages import session_began
from sinks.judgement.ledger import SessionLedger
from sinks.judgement.spans import Span
from sinks.judgement.tally import Tally
from sinks.store import tables

SESSIONS = 10
SILENCES = 500
"""On one page: a camera that drops out every three minutes for a day."""


@dataclass(frozen=True, slots=True)
class SessionRow:
    session: str
    began: datetime | None
    ended: str | None
    """How: final or superseded; None: it goes on."""
    tally: Tally


def sessions(connection: Connection, camera_id: str, most: int = SESSIONS) -> list[SessionRow]:
    """The camera's newest sessions, the newest first. A session that changed its partition has more than one row."""
    table = tables.sessions
    named = select(table.c.session).where(table.c.camera_id == camera_id).distinct()
    newest = [row.session for row in connection.execute(named.order_by(table.c.session.desc()).limit(most))]
    rows = select(table.c.session, table.c.ledger).where(table.c.camera_id == camera_id, table.c.session.in_(newest))
    ledgers: dict[str, list[SessionLedger]] = {}
    for row in connection.execute(rows):
        ledgers.setdefault(row.session, []).append(SessionLedger.from_bytes(row.ledger))
    return [_row(name, SessionLedger.joined(ledgers[name])) for name in newest if name in ledgers]


def _row(session: str, ledger: SessionLedger) -> SessionRow:
    return SessionRow(session, session_began(session), ledger.ended, ledger.tally())


def silences(connection: Connection, camera_id: str, start: datetime, most: int = SILENCES) -> list[Span]:
    """The camera's times without frames that are over and ended after `start`, in order; the newest ones."""
    table = tables.spans
    mine = select(table).where(table.c.camera_id == camera_id, table.c.ended_at > start)
    rows = connection.execute(mine.order_by(table.c.started_at.desc()).limit(most)).mappings()
    return [Span(**row) for row in rows][::-1]
