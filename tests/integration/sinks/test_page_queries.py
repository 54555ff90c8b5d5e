"""No page scans a table that grows for years: what the database plans for the queries of pages, on a filled store."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import Connection, event, text

from bench.board_pages import START, fill
from sinks.board.queries import defects, shift
from sinks.board.queries.defects import GalleryFilter, GalleryPosition
from sinks.board.queries.standing import standings
from sinks.store.database import opened

pytestmark = pytest.mark.integration
GROWING = ("parts", "defects", "defect_events", "quarters", "quarter_classes", "spans", "labels")
END = START.replace(day=START.day + 1)
DEEP = GalleryPosition(END, "press-1/s/1/x-1")
Query = Callable[[Connection], Any]
QUERIES: dict[str, Query] = {
    "newest": lambda c: defects.page(c, GalleryFilter(), None, 24),
    "deep": lambda c: defects.page(c, GalleryFilter(), DEEP, 24),
    "camera": lambda c: defects.page(c, GalleryFilter(camera="press-3"), DEEP, 24),
    "class": lambda c: defects.page(c, GalleryFilter(label="crack"), DEEP, 24),
    "severity": lambda c: defects.page(c, GalleryFilter(severity="critical"), DEEP, 24),
    "camera and class": lambda c: defects.page(c, GalleryFilter(camera="press-3", label="dent"), DEEP, 24),
    "camera and severity": lambda c: defects.page(c, GalleryFilter(camera="press-3", severity="minor"), DEEP, 24),
    "part": lambda c: defects.page(c, GalleryFilter(part="part-500"), None, 24),
    "time": lambda c: defects.page(c, GalleryFilter(start=START, end=END), None, 24),
    "life": lambda c: defects.life(c, "press-1/s/1/x-1"),
    "verdict": lambda c: defects.part_of(c, "part-500"),
    "choices": defects.choices,
    "counts": lambda c: shift.counts(c, START, END),
    "by camera": lambda c: shift.by_camera(c, START, END),
    "by class": lambda c: shift.by_class(c, START, END),
    "silences": lambda c: shift.spans(c, START, END),
    "cameras": standings,
}


def plans(connection: Connection, query: Query) -> list[str]:
    """What the database does for each statement of `query`, with its values."""
    found: list[tuple[str, Any]] = []

    def note(_c: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
        found.append((statement, values))

    event.listen(connection, "before_cursor_execute", note)
    query(connection)
    event.remove(connection, "before_cursor_execute", note)
    explain = "explain query plan " if connection.dialect.name == "sqlite" else "explain "
    lines: list[str] = []
    for statement, values in found:
        rows = connection.exec_driver_sql(explain + statement, values)
        lines += [str(row[-1]) for row in rows]
    return lines


def scanned(lines: list[str]) -> list[str]:
    """Growing tables that are read from one end to the other."""
    pattern = re.compile(rf"(?:Seq Scan on|SCAN) ({'|'.join(GROWING)})\b(?!.*USING (?:COVERING )?INDEX)")
    return [line for line in lines if pattern.search(line)]


async def test_every_query_of_a_page_goes_by_an_index(store_url: str) -> None:
    database = await opened(store_url)
    fill(store_url, 20_000, 10_000)

    def look(connection: Connection) -> dict[str, list[str]]:
        if connection.dialect.name == "postgresql":
            connection.execute(text("set local enable_seqscan = off"))  # a small table is read whole for good reason
        return {name: plans(connection, query) for name, query in QUERIES.items()}

    found = await database.run(look)
    await database.close()
    assert {name: lines for name, lines in found.items() if scanned(lines)} == {}
    deep = " ".join(found["camera and class"])
    assert "ix_defects_camera_label_opened" in deep
    assert "ix_defects_camera_severity_opened" in " ".join(found["camera and severity"])
    assert "ix_quarters_quarter" in " ".join(found["counts"])
    assert "ix_defects_part" in " ".join(found["part"])
