"""Who did what, for admins."""

from starlette.requests import Request

from sinks.board.api.operation import operation
from sinks.board.board import board_of
from sinks.board.models.actions import ActionPage, ActionQuery
from sinks.board.queries.actions import action_page


@operation("GET", "/actions", role="admin", summary="Who did what, the newest first")
async def list_actions(request: Request, query: ActionQuery) -> ActionPage:
    return await board_of(request).store.read(lambda connection: action_page(connection, query))


OPERATIONS = (list_actions,)
