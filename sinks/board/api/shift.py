"""Shifts in numbers."""

import datetime

from pydantic import Field
from starlette.requests import Request

from sinks.board.api.operation import operation
from sinks.board.models.query import Query
from sinks.board.models.shift import ShiftReport
from sinks.board.pages.shift import report_on
from sinks.board.problems import ProblemError
from sinks.board.shift_choice import CURRENT, NoSuchShiftError


class ShiftQuery(Query):
    shift: str = Field(default=CURRENT, max_length=60)
    """`current`, `last`, or a name of board.shifts."""
    date: datetime.date | None = None
    """The day on which it began."""
    camera: str | None = Field(default=None, max_length=63)


@operation(
    "GET",
    "/shift",
    role="viewer",
    summary="A shift in numbers: yield, classes, hours, coverage, account",
    problems=(404,),
)
async def read_shift(request: Request, query: ShiftQuery) -> ShiftReport:
    try:
        return await report_on(request, query.shift, query.date, query.camera)
    except NoSuchShiftError as error:
        raise ProblemError(404, str(error)) from None


OPERATIONS = (read_shift,)
