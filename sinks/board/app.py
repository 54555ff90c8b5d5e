"""The board as an ASGI application: routes, and around them sessions, headers, bounds and errors."""

from collections.abc import Sequence

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from andon.errors import RetryableError
from sinks.board import api, events, pages
from sinks.board.board import Board
from sinks.board.errors import answer_http_error, answer_problem, answer_retryable, answer_unforeseen
from sinks.board.measuring import RequestMetrics
from sinks.board.problems import ProblemError
from sinks.board.rendering import STATIC
from sinks.board.security import login
from sinks.board.security.headers import KnownHosts, SecurityHeaders
from sinks.board.security.roles import MARK
from sinks.board.stored_evidence import StoredEvidence

MOST_BODY = 256_000
"""Bytes of a request: forms and small JSON, no files."""
COOKIE = "andon_session"


def make_app(board: Board) -> Starlette:
    """The application of `board`. Every route of it says who may call it."""
    settings = board.settings.board
    secure = settings.tls is not None or settings.behind_proxy
    routes = [*pages.routes(), *api.routes(), *events.routes(), *login.routes()]
    _require_marks(routes)
    app = Starlette(
        routes=[*routes, Mount("/static", _Static(directory=STATIC), name="static")],
        middleware=[
            Middleware(SecurityHeaders, tls=secure),
            Middleware(RequestMetrics, emit=board.emit, clock=board.clock),
            Middleware(KnownHosts, board=board),
            Middleware(
                SessionMiddleware,
                secret_key=board.guard.key,
                session_cookie=COOKIE,
                max_age=int(settings.session_hours * 3600),
                same_site="lax",  # strict would lose the session on the way back from an OpenID provider
                https_only=secure,
            ),
        ],
        exception_handlers={
            ProblemError: answer_problem,
            HTTPException: answer_http_error,
            RetryableError: answer_retryable,
            Exception: answer_unforeseen,
        },
        max_body_size=MOST_BODY,
    )
    app.state.board = board
    app.state.evidence = StoredEvidence(board.settings.sinks.evidence)
    return app


class _Static(StaticFiles):
    """Files whose address changes with their content: a browser asks for each once."""

    def file_response(self, *args: object, **kwargs: object) -> Response:
        response = super().file_response(*args, **kwargs)  # type: ignore[arg-type]  # passed on as they came
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response


def _require_marks(routes: Sequence[Route]) -> None:
    """No handler is open by mistake."""
    open_ones = [route.path for route in routes if getattr(route.endpoint, MARK, None) is None]
    if open_ones:
        raise TypeError(f"handlers without @requires or @public: {', '.join(open_ones)}")
