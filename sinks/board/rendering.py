"""Templates to pages: in the reader's language, with what every page shows (line, user, navigation, CSRF token)."""

import hashlib
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from sinks.board.formats import filters
from sinks.board.i18n import COOKIE, language_of, text, translations
from sinks.board.security.csrf import token_of
from sinks.board.security.roles import allowed, user_or_none

HERE = Path(__file__).parent
STATIC = HERE / "static"
YEAR_S = 31_536_000
NAVIGATION: tuple[tuple[str, str], ...] = (
    ("/", text("Line")),
    ("/alarms", text("Alarms")),
    ("/cameras", text("Cameras")),
    ("/shift", text("Shift")),
    ("/evidence", text("Evidence")),
    ("/system", text("System")),
)
"""Addresses of pages and their names, in order."""
ADMIN_PAGES: tuple[tuple[str, str], ...] = (("/actions", text("Actions")),)
ROLE_NAMES = (text("viewer"), text("operator"), text("engineer"), text("admin"))


def render(request: Request, name: str, *, status_code: int = 200, **context: Any) -> Response:
    """The page or fragment `templates/NAME`. Every template also gets what `_shared` returns."""
    settings = request.app.state.board.settings
    language = language_of(request, settings.board.languages)
    page = environment(language).get_template(name).render(_shared(request, language) | context)
    response = HTMLResponse(page, status_code, {"Content-Language": language, "Vary": "Accept-Language, Cookie"})
    if request.query_params.get("lang") == language:
        response.set_cookie(COOKIE, language, max_age=YEAR_S, samesite="lax", httponly=True)
    return response


def _shared(request: Request, language: str) -> dict[str, Any]:
    board = request.app.state.board
    user = user_or_none(request)
    return {
        "request": request,
        "line": board.settings.line,
        "language": language,
        "languages": board.settings.board.languages,
        "user": user,
        "may": lambda role: allowed(user, role),
        "csrf_token": token_of(request),
        "now": board.clock.now(),
        "path": request.url.path,
        "navigation": NAVIGATION + (ADMIN_PAGES if allowed(user, "admin") else ()),
        "last_id": board.hub.last_id,
        "kiosk": request.query_params.get("kiosk", ""),
    }


def standalone(name: str, language: str, **context: Any) -> str:
    """A template that needs no request: a file for a person."""
    return environment(language).get_template(name).render(language=language, **context)


@cache
def environment(language: str) -> Environment:
    """One for each language: a compiled template keeps the texts that it was made with."""
    jinja = Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=select_autoescape(),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    jinja.install_gettext_translations(translations(language), newstyle=True)  # type: ignore[attr-defined]
    jinja.globals["asset"] = asset
    jinja.filters["moment"] = moment
    jinja.filters.update(filters(language))
    return jinja


@cache
def asset(name: str) -> str:
    """The address of a file in `static/`. It changes with the content, so a browser may keep the file for ever."""
    digest = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]
    return f"/static/{name}?v={digest}"


def moment(at: datetime | None) -> Markup:
    """A `<time>` that board.js shows in the reader's zone; without scripts it is UTC."""
    if at is None:
        return Markup('<span class="moment">-</span>')
    utc = at.astimezone(UTC)
    return Markup('<time class="moment" datetime="{}">{} UTC</time>').format(
        utc.isoformat(timespec="milliseconds"), utc.strftime("%Y-%m-%d %H:%M:%S")
    )
