"""Alarms <-> rows of the store."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, select

from andon.alarms import Alarm
from sinks.store import tables

MOST_STANDING = 10_000
"""A hundred cameras with a hundred alarms each."""


def standing_rows(connection: Connection) -> tuple[str, ...]:
    """The last event, as JSON, of each alarm that is not normal: equal as long as nothing has changed."""
    table = tables.alarms
    query = select(table.c.latest).where(table.c.state != "normal").order_by(table.c.alarm_id).limit(MOST_STANDING)
    return tuple(connection.execute(query).scalars())


def standing(connection: Connection) -> list[Alarm]:
    """All alarms that are not normal."""
    return [Alarm.read_json(row.encode()) for row in standing_rows(connection)]


def latest(events: Sequence[Alarm]) -> list[dict[str, Any]]:
    """One row for each alarm, by its last event."""
    return list({event.alarm_id: _row(event) for event in events}.values())


def event_row(event: Alarm) -> dict[str, Any]:
    return {
        "event_id": event.event_id,
        "alarm_id": event.alarm_id,
        "camera_id": event.camera_id,
        "at": event.at,
        "event": event.model_dump_json(),
    }


def _row(event: Alarm) -> dict[str, Any]:
    return {
        "alarm_id": event.alarm_id,
        "camera_id": event.camera_id,
        "severity": event.severity,
        "state": event.state,
        "changed_at": event.at,
        "latest": event.model_dump_json(),
    }
