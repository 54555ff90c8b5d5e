"""Alarms <-> rows of the store."""

from collections.abc import Sequence
from typing import Any

from andon.alarms import Alarm


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
