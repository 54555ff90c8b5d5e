"""Which rows are too old, by table and camera."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Table, select

from andon.settings import KeepDays
from sinks.judgement.quarters import quarter_of
from sinks.store import tables


@dataclass(frozen=True, slots=True)
class Cutoffs:
    """Rows from before these moments are deleted."""

    parts: datetime
    defects: datetime
    spans: datetime
    sessions: datetime
    quarters: datetime
    labels: datetime
    alarms: datetime


def cutoffs(keep: KeepDays, now: datetime) -> Cutoffs:
    return Cutoffs(**{name: now - timedelta(days=days) for name, days in keep.model_dump().items()})


@dataclass(frozen=True, slots=True)
class Target:
    """A camera in one of its partitions."""

    camera_id: str
    partition: int


def old_parts(target: Target, before: Cutoffs) -> list[ColumnElement[bool]]:
    table = tables.parts
    return [table.c.camera_id == target.camera_id, table.c.at < before.parts]


def old_spans(target: Target, before: Cutoffs) -> list[ColumnElement[bool]]:
    table = tables.spans
    return [
        table.c.camera_id == target.camera_id,
        table.c.started_at < before.spans,
        table.c.ended_at < before.spans,
    ]


def old_defects(target: Target, before: Cutoffs) -> list[ColumnElement[bool]]:
    table = tables.defects
    return [
        table.c.camera_id == target.camera_id,
        table.c.opened_at < before.defects,
        table.c.changed_at < before.defects,
        table.c.transition == "closed",
    ]


def old_quarters(table: Table, target: Target, before: Cutoffs) -> list[ColumnElement[bool]]:
    return [table.c.camera_id == target.camera_id, table.c.quarter < quarter_of(before.quarters)]


def old_labels(target: Target, before: Cutoffs) -> list[ColumnElement[bool]]:
    return [tables.labels.c.camera_id == target.camera_id, tables.labels.c.at < before.labels]


def old_alarms(target: Target, before: Cutoffs) -> list[ColumnElement[bool]]:
    table = tables.alarms
    return [
        table.c.camera_id == target.camera_id,
        table.c.changed_at < before.alarms,
        table.c.state == "normal",
    ]


def old_alarm_events(target: Target, before: Cutoffs) -> list[ColumnElement[bool]]:
    table = tables.alarm_events
    return [table.c.camera_id == target.camera_id, table.c.at < before.alarms]


def old_epochs(partition: int, before: datetime) -> list[ColumnElement[bool]]:
    """All but the current epoch of each log in the partition."""
    table, now = tables.epochs, tables.partitions
    current = select(now.c.epoch).where(now.c.topic == table.c.topic, now.c.partition == table.c.partition)
    return [table.c.partition == partition, table.c.opened_at < before, table.c.epoch < current.scalar_subquery()]
