"""The API, `/api/v1`: everything that the pages do, as JSON. Each module has `OPERATIONS`."""

import json
from collections.abc import Sequence
from itertools import groupby

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sinks.board.api import actions, alarms, andon, cameras, evidence, line, shift, system
from sinks.board.api.openapi import document
from sinks.board.api.operation import PREFIX, Operation
from sinks.board.security.roles import marked, public

OPERATIONS: tuple[Operation, ...] = (
    *line.OPERATIONS,
    *andon.OPERATIONS,
    *cameras.OPERATIONS,
    *alarms.OPERATIONS,
    *shift.OPERATIONS,
    *actions.OPERATIONS,
    *evidence.OPERATIONS,
    *system.OPERATIONS,
)
"""One entry for each module."""


def routes(operations: Sequence[Operation] = OPERATIONS) -> list[Route]:
    """One route for each path, so that a method which it lacks is refused with the list of those that it has."""
    ordered = sorted(operations, key=lambda item: item.path.count("{"))  # a fixed path goes before a parameter
    by_path = {path: [*items] for path, items in groupby(sorted(ordered, key=_path), key=_path)}
    paths = sorted(by_path, key=lambda path: (path.count("{"), ":path}" in path, -len(path)))
    return [Route(f"{PREFIX}/openapi.json", openapi), *(_route(path, by_path[path]) for path in paths)]


@public
async def openapi(request: Request) -> Response:
    """It says nothing of the line, so a program that has no token yet may read it."""
    return Response(json.dumps(document(OPERATIONS)), media_type="application/json")


def _path(item: Operation) -> str:
    return item.path


def _route(path: str, operations: Sequence[Operation]) -> Route:
    by_method = {item.method: item for item in operations}
    assert len(by_method) == len(operations), f"{path}: two operations for one method"

    async def answer(request: Request) -> Response:
        method = "GET" if request.method == "HEAD" else request.method
        return await by_method[method](request)  # type: ignore[index]  # the route has these methods alone

    return Route(PREFIX + path, marked(answer, operations[0].role), methods=[*by_method])
