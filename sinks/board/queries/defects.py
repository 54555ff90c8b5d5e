"""Defects as people look for them: a page of the gallery, one defect with its life, its part, and labels.

Pages follow each other by key, never by a count of rows to skip: each page costs the same, however far back it lies.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, or_, select

from andon.messages import Defect, PartVerdict
from sinks.store import tables


@dataclass(frozen=True, slots=True)
class GalleryFilter:
    """None: any."""

    camera: str | None = None
    label: str | None = None
    severity: str | None = None
    part: str | None = None
    start: datetime | None = None
    """Opened at or after it."""
    end: datetime | None = None
    """Opened before it."""


@dataclass(frozen=True, slots=True)
class GalleryPosition:
    """Of a defect in the order of the gallery, the newest first."""

    opened_at: datetime
    defect_id: str


def page(connection: Connection, wanted: GalleryFilter, after: GalleryPosition | None, limit: int) -> list[Defect]:
    """The next `limit` defects behind `after`, each as its last event says."""
    rows = connection.execute(gallery(wanted, after, limit))
    return [Defect.read_json(row.latest.encode()) for row in rows]


def gallery(wanted: GalleryFilter, after: GalleryPosition | None, limit: int) -> Select[Any]:
    table = tables.defects
    query = select(table.c.latest).where(*_conditions(wanted))
    if after is not None:
        earlier = or_(table.c.opened_at < after.opened_at, table.c.defect_id < after.defect_id)
        query = query.where(table.c.opened_at <= after.opened_at, earlier)
    return query.order_by(table.c.opened_at.desc(), table.c.defect_id.desc()).limit(limit)


def _conditions(wanted: GalleryFilter) -> list[ColumnElement[bool]]:
    column = tables.defects.c
    given = {
        column.camera_id: wanted.camera,
        column.label: wanted.label,
        column.severity: wanted.severity,
        column.part_id: wanted.part,
    }
    conditions = [key == value for key, value in given.items() if value is not None]
    conditions += [] if wanted.start is None else [column.opened_at >= wanted.start]
    return conditions + ([] if wanted.end is None else [column.opened_at < wanted.end])


def life(connection: Connection, defect_id: str) -> list[Defect]:
    """Its events in order; empty: there is no such defect."""
    table = tables.defect_events
    query = select(table.c.event).where(table.c.defect_id == defect_id)
    events = [Defect.read_json(row.event.encode()) for row in connection.execute(query)]
    rank = {"opened": 0, "updated": 1, "closed": 2}
    return sorted(events, key=lambda event: (rank[event.transition], event.at))


def part_of(connection: Connection, part_id: str) -> PartVerdict | None:
    """The part's verdict. None: it has none yet, or retention has deleted it."""
    query = select(tables.parts.c.event).where(tables.parts.c.part_id == part_id)
    event = connection.execute(query).scalar_one_or_none()
    return None if event is None else PartVerdict.read_json(event.encode())


def choices(connection: Connection) -> tuple[list[str], list[str]]:
    """The cameras and the classes that there are to choose from."""
    cameras = connection.execute(select(tables.cameras.c.camera_id).distinct()).scalars()
    return sorted(cameras), _labels(connection)


def _labels(connection: Connection) -> list[str]:
    """Jumps in the index from one class to the next: there may be a million defects of each."""
    column = tables.defects.c.label
    first = select(func.min(column).label("label")).cte("classes", recursive=True)
    following = select(select(func.min(column)).where(column > first.c.label).scalar_subquery())
    found = first.union_all(following.where(first.c.label.is_not(None)))
    return [label for label in connection.execute(select(found.c.label)).scalars() if label is not None]


def defects_in(connection: Connection, ids: Sequence[str]) -> dict[str, Defect]:
    """Those of these that there are."""
    query = select(tables.defects.c.latest).where(tables.defects.c.defect_id.in_(list(ids)))
    found = [Defect.read_json(row.latest.encode()) for row in connection.execute(query)]
    return {defect.defect_id: defect for defect in found}
