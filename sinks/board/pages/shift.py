"""`/shift`: a shift in numbers."""

from datetime import date
from urllib.parse import urlencode

from sqlalchemy import Connection
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sinks.board.board import board_of
from sinks.board.models.shift import ShiftReport
from sinks.board.queries.defects import choices
from sinks.board.rendering import render
from sinks.board.security.roles import requires
from sinks.board.shift_choice import CURRENT, NoSuchShiftError, chosen, shift_report
from sinks.board.shift_table import as_csv
from sinks.board.shifts import ShiftPlan


async def report_on(request: Request, name: str, day: date | None, camera: str | None) -> ShiftReport:
    """Raises NoSuchShiftError; RetryableError while the store is away."""
    board = board_of(request)
    now = board.clock.now()
    shift = chosen(ShiftPlan.of(board.settings.board), now, name, day)

    def query(connection: Connection) -> ShiftReport:
        return shift_report(connection, board.settings, shift, now, camera)

    return await board.store.read(query)


async def _report_for(request: Request) -> ShiftReport:
    """The report that the address names."""
    given = request.query_params
    day = given.get("date")
    try:
        when = date.fromisoformat(day) if day else None
    except ValueError:
        raise NoSuchShiftError(f"{day!r} is no date") from None
    return await report_on(request, given.get("shift") or CURRENT, when, given.get("camera") or None)


@requires("viewer")
async def shift(request: Request) -> Response:
    board, given = board_of(request), request.query_params
    report, problem, status = None, None, 200
    try:
        report = await _report_for(request)
    except NoSuchShiftError as error:
        problem, status = str(error), 404
    cameras, _ = await board.store.read(choices)
    return render(
        request,
        "shift.html",
        status_code=status,
        report=report,
        problem=problem,
        asked=given.get("shift") or CURRENT,
        day=given.get("date"),
        camera=given.get("camera"),
        shifts=list(board.settings.board.shifts),
        cameras=cameras,
        query=urlencode({key: given[key] for key in ("shift", "date", "camera") if given.get(key)}),
    )


@requires("viewer")
async def numbers(request: Request) -> Response:
    try:
        return render(request, "shift_numbers.html", report=await _report_for(request))
    except NoSuchShiftError:
        return Response(status_code=404)


@requires("viewer")
async def table(request: Request) -> Response:
    try:
        report = await _report_for(request)
    except NoSuchShiftError as error:
        return Response(str(error), 404, media_type="text/plain")
    name = f"shift-{report.shift.day}-{report.shift.name}.csv"
    return Response(
        as_csv(report), headers={"Content-Disposition": f'attachment; filename="{name}"'}, media_type="text/csv"
    )


def routes() -> list[Route]:
    return [Route("/shift", shift), Route("/shift.csv", table), Route("/shift/numbers", numbers)]
