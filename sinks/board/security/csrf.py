"""CSRF tokens: a page of another site can send the browser's cookie, and can't know the token in the session."""

import secrets

from starlette.requests import Request

HEADER = "X-CSRF-Token"
FIELD = "csrf"
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
_KEY = "csrf"


def token_of(request: Request) -> str:
    """The session's token; made at the first call, which gives the browser a session."""
    token = request.session.get(_KEY)
    if not isinstance(token, str):
        token = request.session[_KEY] = secrets.token_urlsafe(24)
    return token


async def is_forged(request: Request) -> bool:
    """Whether the request changes something and carries no token of its session, in the header or in its form."""
    if request.method in SAFE:
        return False
    expected = request.session.get(_KEY)
    given = request.headers.get(HEADER)
    if given is None and request.headers.get("content-type", "").startswith(_FORMS):
        field = (await request.form()).get(FIELD)
        given = field if isinstance(field, str) else None
    return not (isinstance(expected, str) and given is not None and secrets.compare_digest(expected, given))
