"""What the store knows of a stretch of time: parts, frames, classes, silences. Few rows are read."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import ceil

from sqlalchemy import ColumnElement, Connection, Table, and_, func, select, true

from sinks.judgement.quarters import QUARTER_S, quarter_of
from sinks.judgement.spans import Span
from sinks.store import tables

PART_COLUMNS = ("passed", "rejected", "unknown")
FRAME_COLUMNS = ("inspected", "unfit", "shed", "quarantined", "lost")
Cameras = Collection[str] | None
"""None: all."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Verdicts on parts."""

    passed: int = 0
    rejected: int = 0
    unknown: int = 0

    @property
    def parts(self) -> int:
        return self.passed + self.rejected + self.unknown

    @property
    def yield_share(self) -> float | None:
        """Good parts of all parts. A part that was not inspected is no good part. None: there was none."""
        return self.passed / self.parts if self.parts else None


@dataclass(frozen=True, slots=True)
class CameraSums:
    camera_id: str
    counts: Counts
    defects: int
    inspected: int
    unfit: int
    shed: int
    quarantined: int
    lost: int

    @property
    def frames(self) -> int:
        return self.inspected + self.shed + self.quarantined + self.lost


@dataclass(frozen=True, slots=True)
class ClassSums:
    label: str
    rejects: int
    """Rejected parts that have a defect of this class."""
    defects: int


def counts(connection: Connection, start: datetime, end: datetime, cameras: Cameras = None) -> Counts:
    """The verdicts from the quarter of an hour in which `start` lies to the one in which `end` lies."""
    table = tables.quarters
    query = select(*_sums(table, PART_COLUMNS)).where(_within(table, start, end, cameras))
    return Counts(*(int(value or 0) for value in connection.execute(query).one()))


def by_quarter(
    connection: Connection, start: datetime, end: datetime, cameras: Cameras = None
) -> list[tuple[int, Counts]]:
    """The verdicts in each quarter that has any, in order."""
    table = tables.quarters
    query = select(table.c.quarter, *_sums(table, PART_COLUMNS)).where(_within(table, start, end, cameras))
    rows = connection.execute(query.group_by(table.c.quarter).order_by(table.c.quarter))
    return [(quarter, Counts(*map(int, values))) for quarter, *values in rows]


def by_camera(connection: Connection, start: datetime, end: datetime, cameras: Cameras = None) -> list[CameraSums]:
    table = tables.quarters
    names = (*PART_COLUMNS, "defects", *FRAME_COLUMNS)
    query = select(table.c.camera_id, *_sums(table, names)).where(_within(table, start, end, cameras))
    rows = connection.execute(query.group_by(table.c.camera_id).order_by(table.c.camera_id))
    return [CameraSums(row[0], Counts(*map(int, row[1:4])), *map(int, row[4:])) for row in rows]


def by_class(connection: Connection, start: datetime, end: datetime, cameras: Cameras = None) -> list[ClassSums]:
    """The classes that occurred, those with the most rejected parts first."""
    table = tables.quarter_classes
    query = select(table.c.label, *_sums(table, ("rejects", "defects"))).where(_within(table, start, end, cameras))
    rows = connection.execute(query.group_by(table.c.label))
    found = [ClassSums(label, int(rejects), int(defects)) for label, rejects, defects in rows]
    return sorted(found, key=lambda item: (-item.rejects, -item.defects, item.label))


def spans(connection: Connection, start: datetime, end: datetime, cameras: Cameras = None) -> list[Span]:
    """The silences that are over and overlap with this time, by camera and start.

    A camera's silences never overlap, so at most one of them began before `start` and lasted on.
    """
    table = tables.spans
    here = true() if cameras is None else table.c.camera_id.in_(sorted(cameras))
    within = select(table).where(table.c.started_at >= start, table.c.started_at < end, here)
    earlier = table.alias()
    newest = (
        select(func.max(earlier.c.started_at))
        .where(earlier.c.camera_id == tables.cameras.c.camera_id, earlier.c.started_at < start)
        .correlate(tables.cameras)
        .scalar_subquery()
    )
    across = (
        select(table)
        .select_from(tables.cameras)
        .join(table, and_(table.c.camera_id == tables.cameras.c.camera_id, table.c.started_at == newest))
        .where(table.c.ended_at > start, here)
    )
    rows = [*connection.execute(within).mappings(), *connection.execute(across).mappings()]
    found = {(row["camera_id"], row["started_at"]): Span(**row) for row in rows}  # a camera may have two partitions
    return [found[key] for key in sorted(found)]


def _sums(table: Table, names: Sequence[str]) -> list[ColumnElement[int]]:
    return [func.sum(table.c[name]) for name in names]


def _within(table: Table, start: datetime, end: datetime, cameras: Cameras) -> ColumnElement[bool]:
    until = ceil(end.timestamp() / QUARTER_S)
    here = true() if cameras is None else table.c.camera_id.in_(sorted(cameras))
    return and_(table.c.quarter >= quarter_of(start), table.c.quarter < until, here)
