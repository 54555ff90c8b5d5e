"""The sums of quarters of an hour: they change in the transaction that stores what they count.

A part or a defect that is there already, because its record was delivered again, is not counted again.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from sqlalchemy import Connection, Table

from andon.messages import Defect, PartOutcome, PartVerdict
from sinks.judgement.quarters import QuarterFrames, quarter_of
from sinks.store import tables
from sinks.store.inserts import dialect_insert

COLUMNS: Mapping[PartOutcome, str] = {"pass": "passed", "reject": "rejected", "unknown": "unknown"}
FRAMES = ("inspected", "unfit", "shed", "quarantined", "lost")
_Key = tuple[str, int]
"""(camera, quarter)"""


def add(
    connection: Connection, frames: Iterable[QuarterFrames], opened: Sequence[Defect], verdicts: Sequence[PartVerdict]
) -> None:
    """Add to the quarters. `opened` and `verdicts` were stored for the first time."""
    quarters: dict[_Key, Counter[str]] = {}
    for item in frames:
        counts = dict(zip(FRAMES, item.counts, strict=True))
        quarters.setdefault((item.camera_id, item.quarter), Counter()).update(counts)
    for verdict in verdicts:
        key = (verdict.camera_id, quarter_of(verdict.at))
        quarters.setdefault(key, Counter())[COLUMNS[verdict.verdict]] += 1
    for defect in opened:
        quarters.setdefault((defect.camera_id, quarter_of(defect.opened_at)), Counter())["defects"] += 1
    names = (*FRAMES, *COLUMNS.values(), "defects")
    rows = [
        {"camera_id": camera, "quarter": quarter, **{name: counts[name] for name in names}}
        for (camera, quarter), counts in sorted(quarters.items())  # in order: two sinks must not wait for each other
    ]
    _add(connection, tables.quarters, rows)
    _add(connection, tables.quarter_classes, _class_rows(opened, verdicts))


def _class_rows(opened: Sequence[Defect], verdicts: Sequence[PartVerdict]) -> list[dict[str, Any]]:
    classes: dict[tuple[str, str, int], Counter[str]] = {}
    for verdict in verdicts:
        if verdict.verdict == "reject":
            for label in {defect.label for defect in verdict.defects}:
                key = (verdict.camera_id, label, quarter_of(verdict.at))
                classes.setdefault(key, Counter())["rejects"] += 1
    for defect in opened:
        classes.setdefault((defect.camera_id, defect.label, quarter_of(defect.opened_at)), Counter())["defects"] += 1
    return [
        {"camera_id": camera, "label": label, "quarter": quarter, "rejects": it["rejects"], "defects": it["defects"]}
        for (camera, label, quarter), it in sorted(classes.items())
    ]


def _add(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        connection.execute(_adding(connection.dialect.name, table), list(rows))


@cache
def _adding(dialect: str, table: Table) -> Any:
    """Insert rows, or add to those that stand under their keys."""
    statement = dialect_insert(dialect, table)
    keys = [column.name for column in table.primary_key]
    rest = {
        column.name: column + statement.excluded[column.name] for column in table.columns if column.name not in keys
    }
    return statement.on_conflict_do_update(index_elements=keys, set_=rest)
