"""What has changed in the store lately, for the reader of news."""

from datetime import datetime, timedelta

from sqlalchemy import Connection, select

from andon.messages import Defect
from sinks.store import tables

WINDOW = timedelta(minutes=15)
"""Defects come by their frames' times, not in order: one that comes later than this is on the pages, but no news."""
MOST = 500


def changed_defects(connection: Connection, since: datetime | None) -> list[tuple[str, datetime]]:
    """Ids of defects and when each changed, the newest first; `since`: the newest change that is known."""
    table = tables.defects
    query = select(table.c.defect_id, table.c.changed_at).order_by(table.c.changed_at.desc(), table.c.defect_id)
    rows = connection.execute(
        (query if since is None else query.where(table.c.changed_at > since - WINDOW)).limit(MOST)
    )
    return [(row.defect_id, row.changed_at) for row in rows]


def defects(connection: Connection, ids: list[str]) -> list[Defect]:
    """The last events of these defects, the newest first."""
    table = tables.defects
    query = select(table.c.latest).where(table.c.defect_id.in_(ids)).order_by(table.c.changed_at.desc())
    return [Defect.read_json(latest.encode()) for latest in connection.execute(query).scalars()]
