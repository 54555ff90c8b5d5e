"""The log-in page: local users here, and the way to the plant's OpenID provider where there is one."""

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from andon.events import LoginRefused
from sinks.board.board import address_of, board_of
from sinks.board.i18n import text
from sinks.board.problems import ProblemError
from sinks.board.rendering import render
from sinks.board.security.roles import OidcError, User, public, requires
from sinks.store.actions import Action, add_action

REFUSED = text("This name and password do not belong together.")
NOT_IN = text("The log-in service does not let you in, or does not answer. The board's log says why.")
FOLLOWING = "following"
TOO_OFTEN = text("Too many failed log-ins. Try again in some minutes.")


@public
async def show(request: Request) -> Response:
    return _page(request, request.query_params.get("next", ""))


@public
async def log_in(request: Request) -> Response:
    board = board_of(request)
    form = await request.form()
    following = str(form.get("next", ""))
    name, password = str(form.get("name", ""))[:80].strip(), str(form.get("password", ""))
    keys = (f"user {name}", f"address {address_of(request)}")
    if board.guard.limits.wait_s(*keys) > 0:
        board.emit(LoginRefused(address_of(request), "too many attempts"))
        return _page(request, following, TOO_OFTEN, 429)
    known = (await board.guard.directory.known()).users.get(name)
    if not await board.guard.passwords.match(password, known.password if known else None):
        board.guard.limits.failed(*keys)
        board.emit(LoginRefused(address_of(request), "wrong name or password"))
        return _page(request, following, REFUSED, 401)
    assert known is not None
    board.guard.limits.passed(keys[0])
    await entered(request, User(known.name, known.role, "session"))  # type: ignore[arg-type]  # the store's text
    return RedirectResponse(_safe(following), 303)


async def entered(request: Request, user: User) -> None:
    """Begin the session of `user`, and keep that it began."""
    board = board_of(request)
    entry = Action(board.clock.now(), user.name, user.via, address_of(request), "session.begin", user.name, {})
    await board.store.write(lambda connection: add_action(connection, entry))
    board.guard.begin(request.session, user)


@public
async def go_to_provider(request: Request) -> Response:
    oidc = board_of(request).guard.oidc
    if oidc is None:
        raise ProblemError(404, "not found", "there is no OpenID provider: board.oidc")
    request.session[FOLLOWING] = _safe(request.query_params.get("next", ""))
    try:
        return await oidc.away(request, str(request.url_for("come_back")))
    except OidcError as error:
        return _not_in(request, error)


@public
async def come_back(request: Request) -> Response:
    oidc = board_of(request).guard.oidc
    if oidc is None:
        raise ProblemError(404, "not found", "there is no OpenID provider: board.oidc")
    following = _safe(str(request.session.get(FOLLOWING, "")))
    try:
        user = await oidc.back(request)
    except OidcError as error:
        return _not_in(request, error)
    await entered(request, user)
    return RedirectResponse(following, 303)


def _not_in(request: Request, error: OidcError) -> Response:
    board_of(request).emit(LoginRefused(address_of(request), str(error)))
    return _page(request, "", NOT_IN, 403)


@requires("viewer")
async def log_out(request: Request) -> Response:
    await board_of(request).audit(request, "session.end", "")
    request.session.clear()
    return RedirectResponse("/login", 303)


def _page(request: Request, following: str, fault: str = "", status: int = 200) -> Response:
    oidc = board_of(request).settings.board.oidc
    return render(request, "login.html", status_code=status, fault=fault, oidc=oidc, following=_safe(following))


def _safe(following: str) -> str:
    """Where to go after the log-in: a path of this board, never another site."""
    is_path = following.startswith("/") and not following.startswith(("//", "/\\")) and following.isprintable()
    return following if is_path else "/"


def routes() -> list[Route]:
    return [
        Route("/login", show),
        Route("/login", log_in, methods=["POST"]),
        Route("/login/oidc", go_to_provider),
        Route("/login/oidc/back", come_back),
        Route("/logout", log_out, methods=["POST"]),
    ]
