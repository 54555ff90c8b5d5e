"""What people say of defects' pictures: "real", "false alarm", or a box around what the model missed.

A label is never changed. A new opinion on a defect withdraws the former one, so it stays known who said what and when.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import ColumnElement, Connection, Row, insert, select, update

from andon.messages import Box
from sinks.store import tables

LabelKind = Literal["real", "false_alarm", "missed"]
OPINIONS = ("real", "false_alarm")
"""On the defect itself; of these one holds at a time."""
BATCH = 1_000


@dataclass(frozen=True, slots=True)
class NewLabel:
    defect_id: str
    camera_id: str
    kind: LabelKind
    author: str
    at: datetime
    label: str | None = None
    """The class of what was missed."""
    box: Box | None = None
    """Around what was missed, in pixels of the picture."""


@dataclass(frozen=True, slots=True)
class StoredLabel:
    id: int
    content: NewLabel
    withdrawn_at: datetime | None = None
    withdrawn_by: str | None = None


def add_label(connection: Connection, new: NewLabel) -> int:
    """Returns its number. An opinion takes the place of the former one."""
    table = tables.labels
    if new.kind in OPINIONS:
        _withdraw(connection, [table.c.defect_id == new.defect_id, table.c.kind.in_(OPINIONS)], new.author, new.at)
    box = new.box
    corners = {name: None if box is None else getattr(box, name) for name in ("x1", "y1", "x2", "y2")}
    row = {name: getattr(new, name) for name in ("defect_id", "camera_id", "kind", "author", "at", "label")}
    number = connection.execute(insert(table).values(**row, **corners).returning(table.c.id)).scalar_one()
    return int(number)


def withdraw_label(connection: Connection, number: int, author: str, at: datetime) -> bool:
    """Whether the label was there and held."""
    return _withdraw(connection, [tables.labels.c.id == number], author, at) == 1


def _withdraw(connection: Connection, which: list[ColumnElement[bool]], author: str, at: datetime) -> int:
    table = tables.labels
    held = update(table).where(*which, table.c.withdrawn_at.is_(None))
    return connection.execute(held.values(withdrawn_at=at, withdrawn_by=author)).rowcount


def label(connection: Connection, number: int) -> StoredLabel | None:
    row = connection.execute(select(tables.labels).where(tables.labels.c.id == number)).one_or_none()
    return None if row is None else _label(row)


def labels_of(connection: Connection, defect_ids: Collection[str]) -> list[StoredLabel]:
    """All labels of these defects, the withdrawn ones included, in order."""
    table = tables.labels
    query = select(table).where(table.c.defect_id.in_(sorted(defect_ids))).order_by(table.c.id)
    return [_label(row) for row in connection.execute(query)]


def labels_after(connection: Connection, number: int, limit: int, since: datetime | None = None) -> list[StoredLabel]:
    """The next labels that hold, in the order in which they were given. `since`: given at or after it."""
    table = tables.labels
    query = select(table).where(table.c.id > number, table.c.withdrawn_at.is_(None))
    query = query if since is None else query.where(table.c.at >= since)
    return [_label(row) for row in connection.execute(query.order_by(table.c.id).limit(limit))]


def all_labels(connection: Connection, since: datetime | None = None) -> Iterator[StoredLabel]:
    number = 0
    while found := labels_after(connection, number, BATCH, since):
        yield from found
        number = found[-1].id


def _label(row: Row[tuple[object, ...]]) -> StoredLabel:
    box = None if row.x1 is None else Box(x1=row.x1, y1=row.y1, x2=row.x2, y2=row.y2)
    content = NewLabel(row.defect_id, row.camera_id, row.kind, row.author, row.at, row.label, box)
    return StoredLabel(row.id, content, row.withdrawn_at, row.withdrawn_by)
