"""Alarms as they stand, and what happened to them."""

from datetime import datetime

from sqlalchemy import Connection, and_, or_, select

from andon.alarms import Alarm
from sinks.board import cursor
from sinks.board.models.alarms import AlarmEventPage, AlarmEventQuery, AlarmPage, AlarmQuery
from sinks.store import tables


def alarm_page(connection: Connection, query: AlarmQuery) -> AlarmPage:
    """Alarms in the order of their ids. Raises ProblemError for a cursor that is none."""
    table = tables.alarms
    wanted = select(table.c.latest).order_by(table.c.alarm_id).limit(query.limit + 1)
    wanted = wanted.where(table.c.state == query.state if query.state else table.c.state != "normal")
    if query.camera is not None:
        wanted = wanted.where(table.c.camera_id == query.camera)
    if query.cursor is not None:
        wanted = wanted.where(table.c.alarm_id > cursor.decode(query.cursor, str)[0])
    found = [Alarm.read_json(row.encode()) for row in connection.execute(wanted).scalars()]
    shown = found[: query.limit]
    following = cursor.encode(shown[-1].alarm_id) if len(found) > query.limit else None
    return AlarmPage(items=shown, next=following)


def event_page(connection: Connection, query: AlarmEventQuery) -> AlarmEventPage:
    """What happened, the newest first. Raises ProblemError for a cursor that is none."""
    table = tables.alarm_events
    key = (table.c.at, table.c.event_id)
    wanted = select(table.c.event).order_by(key[0].desc(), key[1].desc()).limit(query.limit + 1)
    if query.camera is not None:
        wanted = wanted.where(table.c.camera_id == query.camera)
    if query.alarm is not None:
        wanted = wanted.where(table.c.alarm_id == query.alarm)
    if query.cursor is not None:
        at, event_id = cursor.decode(query.cursor, datetime, str)
        wanted = wanted.where(or_(key[0] < at, and_(key[0] == at, key[1] < event_id)))
    found = [Alarm.read_json(row.encode()) for row in connection.execute(wanted).scalars()]
    shown = found[: query.limit]
    following = cursor.encode(shown[-1].at, shown[-1].event_id) if len(found) > query.limit else None
    return AlarmEventPage(items=shown, next=following)
