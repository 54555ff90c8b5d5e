"""Who may do what: viewer < operator < engineer < admin. Each handler names the role that it takes."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, Literal, TypeVar, get_args
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from andon.settings import BoardRole
from sinks.board.problems import ProblemError
from sinks.board.security.csrf import is_forged

ROLES: tuple[BoardRole, ...] = get_args(BoardRole)
PUBLIC = "public"
"""In place of a role: the log-in page and files that hold nothing of the line."""
MARK = "required_role"
Via = Literal["session", "oidc", "token", "screen", "open"]
Handler = Callable[[Request], Awaitable[Response]]
Decorated = TypeVar("Decorated", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class User:
    name: str
    role: BoardRole
    via: Via
    """`screen`: a wall screen, known by its address. `open`: nobody logged in, because the board has no users and only
    this machine can reach it."""


class OidcError(Exception):
    """The plant's provider does not answer, or it does not let this person in. Its text is for the log: no secrets."""


def allowed(user: User | None, role: BoardRole) -> bool:
    return user is not None and ROLES.index(user.role) >= ROLES.index(role)


def user_or_none(request: Request) -> User | None:
    user: User | None = getattr(request.state, "user", None)
    return user


def user_of(request: Request) -> User:
    """Whoever sent the request. Only for handlers with `requires`."""
    user = user_or_none(request)
    assert user is not None, "a handler without requires"
    return user


def requires(role: BoardRole) -> Callable[[Handler], Handler]:
    """The handler runs only for users with this role or a higher one, and only if no other site sent the request."""

    def decorate(handler: Handler) -> Handler:
        @wraps(handler)
        async def guarded(request: Request) -> Response:
            refusal = await refused(request, role)
            return await handler(request) if refusal is None else refusal

        return marked(guarded, role)

    return decorate


def public(handler: Handler) -> Handler:
    """The handler is for everybody; the CSRF token is checked all the same."""

    @wraps(handler)
    async def guarded(request: Request) -> Response:
        request.state.user = await request.app.state.board.guard.user(request)
        if await is_forged(request):
            raise _forged()
        return await handler(request)

    return marked(guarded, PUBLIC)


def marked(handler: Decorated, role: str) -> Decorated:
    """Says which role the handler checks; `make_app` refuses a handler that does not say it."""
    setattr(handler, MARK, role)
    return handler


async def refused(request: Request, role: BoardRole) -> Response | None:
    """None: go on, and `user_of` knows the user. Raises ProblemError; returns where to log in, for a page."""
    user: User | None = await request.app.state.board.guard.user(request)
    request.state.user = user
    if user is None:
        return _to_login(request)
    if user.via != "token" and await is_forged(request):
        raise _forged()
    if not allowed(user, role):
        raise ProblemError(403, "not allowed", f"{user.name} is {user.role}; this takes {role}")
    return None


def _forged() -> ProblemError:
    return ProblemError(403, "the page is out of date", "its CSRF token is not of this session: load the page again")


def _to_login(request: Request) -> Response:
    if request.url.path.startswith("/api/") or request.headers.get("authorization"):
        raise ProblemError(401, "not logged in", "send a token: Authorization: Bearer", {"WWW-Authenticate": "Bearer"})
    address = "/login"
    if request.headers.get("hx-request"):
        return Response(status_code=401, headers={"HX-Redirect": address})
    if request.method == "GET" and request.headers.get("accept", "").find("text/event-stream") < 0:
        query = f"?{request.url.query}" if request.url.query else ""
        return RedirectResponse(f"{address}?next={quote(request.url.path + query)}", 303)
    raise ProblemError(401, "not logged in", "log in again")
