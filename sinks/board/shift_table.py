"""A shift's report as a table for spreadsheets: one number a row, so that any of them can be filtered and summed."""

import csv
import io
from collections.abc import Iterator

from pydantic import BaseModel

from sinks.board.models.shift import ShiftReport

Row = tuple[str, str, str, object]
"""(section, name, measure, value)"""
HEADER = ("section", "name", "measure", "value")
_UNSAFE = ("=", "+", "-", "@", "\t", "\r")


def as_csv(report: ShiftReport) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")  # RFC 4180
    writer.writerow(HEADER)
    writer.writerows([_cell(value) for value in row] for row in _rows(report))
    return out.getvalue()


def _rows(report: ShiftReport) -> Iterator[Row]:
    shift = report.shift
    yield from _values("shift", shift.name, shift, ())
    yield "shift", shift.name, "line", report.line
    yield "shift", shift.name, "coverage", report.coverage
    yield "shift", shift.name, "down_s", report.down_s
    yield "shift", shift.name, "target_yield", report.target_yield
    yield from _values("parts", "all", report.counts, ())
    yield from _values("frames", "all", report.account, ())
    for hour in report.hours:
        yield from _values("hour", hour.start.isoformat(), hour, ("start",))
    for item in report.classes:
        yield from _values("class", item.label, item, ("label",))
    for camera in report.cameras:
        yield from _values("camera", camera.camera, camera.counts, ())
        yield from _values("camera", camera.camera, camera.account, ())
        for name in ("defects", "down_s", "stopped_s", "coverage"):
            yield "camera", camera.camera, name, getattr(camera, name)
        for downtime in camera.downtimes:
            yield from _values("downtime", f"{camera.camera} {downtime.start.isoformat()}", downtime, ("start",))


def _values(section: str, name: str, values: BaseModel, without: tuple[str, ...]) -> Iterator[Row]:
    for measure, value in values.model_dump(mode="json").items():
        if measure not in without:
            yield section, name, measure, value


def _cell(value: object) -> object:
    """A class's name must not become a formula in a spreadsheet (OWASP, CSV injection)."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_UNSAFE) else value
