"""Errors as people and programs get them: a page, or under /api/ a problem as in RFC 9457."""

from http import HTTPStatus
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from andon.errors import RetryableError, described
from andon.events import BoardFailed
from sinks.board.problems import ProblemError, ProblemResponse
from sinks.board.rendering import render

API = "/api/"
RETRY_S = 2


async def answer_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, ProblemError)
    return _answer(request, error)


async def answer_http_error(request: Request, error: Exception) -> Response:
    """What Starlette itself refuses: an unknown path, a wrong method, a body that is too large."""
    assert isinstance(error, HTTPException)
    title = HTTPStatus(error.status_code).phrase.lower()
    return _answer(request, ProblemError(error.status_code, title, error.detail, error.headers))


async def answer_retryable(request: Request, error: Exception) -> Response:
    """The store, Redis or the broker is away."""
    assert isinstance(error, RetryableError)
    return _answer(request, ProblemError(503, "not available now", str(error), {"Retry-After": str(RETRY_S)}))


async def answer_unforeseen(request: Request, error: Exception) -> Response:
    """Nobody foresaw it: the log says where, the answer does not."""
    emit = request.app.state.board.emit
    emit(BoardFailed(_route(request), described(error)))
    return _answer(request, ProblemError(500, "internal error", "the board's log has more"))


def _answer(request: Request, problem: ProblemError) -> Response:
    if request.url.path.startswith(API):
        body: dict[str, Any] = {"type": "about:blank", "title": problem.title, "status": problem.status}
        body |= {"detail": problem.detail} if problem.detail else {}
        body |= {"errors": problem.errors} if problem.errors else {}
        return ProblemResponse(body, problem.status, problem.headers)
    response = render(request, "error.html", status_code=problem.status, problem=problem)
    response.headers.update(problem.headers)
    return response


def _route(request: Request) -> str:
    route = request.scope.get("route")
    return str(getattr(route, "path", "unknown"))
