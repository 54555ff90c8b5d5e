"""`/alarms`: what stands, grouped by cause; buttons for operators; and what happened lately."""

from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from sinks.board import alarm_groups
from sinks.board.alarm_groups import grouped
from sinks.board.alarm_orders import carry_out
from sinks.board.andon import WHOLE, groups_of
from sinks.board.board import Board, board_of
from sinks.board.models.alarms import AlarmEventQuery, AlarmOrder
from sinks.board.news import Look
from sinks.board.problems import ProblemError
from sinks.board.queries.alarms import event_page
from sinks.board.rendering import render
from sinks.board.security.roles import requires
from sinks.store.alarm_rows import standing, standing_rows

WORDS: dict[str, Any] = {
    "states": alarm_groups.STATES,
    "symbols": alarm_groups.SYMBOLS,
    "changes": alarm_groups.CHANGES,
    "causes": alarm_groups.CAUSES,
    "reasons": alarm_groups.REASONS,
    "shown": alarm_groups.SHOWN,
}
ON_LINE = 8
"""Groups that the page of the line shows."""


@requires("viewer")
async def alarms(request: Request) -> Response:
    return await _standing(request, "alarms.html")


@requires("viewer")
async def groups(request: Request) -> Response:
    return await _standing(request, "alarms_groups.html")


@requires("viewer")
async def unacknowledged(request: Request) -> Response:
    """For the page of the line, or of a screen's part of it. Raises ProblemError for a part that there is not."""
    board = board_of(request)
    parts, name = groups_of(board.settings.board), request.query_params.get("group") or WHOLE
    if name not in parts:
        raise ProblemError(404, "no such part of the line")
    part = parts[name]
    found = await board.store.read(standing)
    mine = [alarm for alarm in found if part is None or part.has(alarm.camera_id)]
    waiting = grouped(alarm for alarm in mine if alarm.needs_operator)
    context: dict[str, Any] = {"groups": waiting[:ON_LINE], "more": len(waiting) - ON_LINE}
    return render(request, "alarms_unacknowledged.html", **context, **WORDS)


@requires("viewer")
async def history(request: Request) -> Response:
    query = AlarmEventQuery(cursor=request.query_params.get("cursor"))
    page = await board_of(request).store.read(lambda connection: event_page(connection, query))
    return render(request, "alarms_history.html", rows=page.items, following=page.next, **WORDS)


@requires("operator")
async def act(request: Request) -> Response:
    """A button of the page. Without scripts the browser comes back to the page."""
    form = await request.form()
    fields = {name: form[name] for name in ("action", "note") if form.get(name)}
    minutes = form.get("minutes") if fields.get("action") == "shelve" else None
    try:
        order = AlarmOrder.model_validate(
            {**fields, "alarms": tuple(form.getlist("alarm")), **({"minutes": minutes} if minutes else {})}
        )
    except ValidationError as error:
        raise ProblemError(422, "the request is not valid", error.errors()[0]["msg"]) from None
    await carry_out(request, order)
    if "hx-request" in request.headers:
        return render(request, "alarms_sent.html")
    return RedirectResponse("/alarms", 303)


async def _standing(request: Request, template: str) -> Response:
    found = await board_of(request).store.read(standing)
    aside = [alarm for alarm in found if alarm.state in ("shelved", "out_of_service")]
    open_alarms = [alarm for alarm in found if alarm.state not in ("shelved", "out_of_service")]
    waiting = sum(alarm.needs_operator for alarm in open_alarms)
    context: dict[str, Any] = {"groups": grouped(open_alarms), "aside": grouped(aside), "waiting": waiting}
    return render(request, template, **context, **WORDS)


def routes() -> list[Route]:
    return [
        Route("/alarms", alarms),
        Route("/alarms/groups", groups),
        Route("/alarms/unacknowledged", unacknowledged),
        Route("/alarms/history", history),
        Route("/alarms/act", act, methods=["POST"]),
    ]


def watch(board: Board) -> Iterator[tuple[str, Look]]:
    """Publish on the hub that alarms have changed."""
    known: tuple[str, ...] | None = None

    async def look() -> None:
        nonlocal known
        rows = await board.store.read(standing_rows)
        if known is not None and rows != known:
            board.hub.publish("alarms", {"standing": len(rows)})
        known = rows

    yield "alarms", look
