"""`/actions`: who did what, for admins."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sinks.board.board import board_of
from sinks.board.models.actions import ActionQuery
from sinks.board.queries.actions import action_page
from sinks.board.rendering import render
from sinks.board.security.roles import requires


@requires("admin")
async def actions(request: Request) -> Response:
    query = ActionQuery(cursor=request.query_params.get("cursor"))
    page = await board_of(request).store.read(lambda connection: action_page(connection, query))
    return render(request, "actions.html", rows=page.items, following=page.next)


def routes() -> list[Route]:
    return [Route("/actions", actions)]
