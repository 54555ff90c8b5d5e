"""The headers that every answer of the board carries, and the names under which it may be asked for."""

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from andon.errors import RetryableError
from sinks.board.board import Board

POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data: blob:",
        "media-src 'self' blob:",
        "font-src 'self'",
        "connect-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'self'",
    ]
)
"""No script and no style stands in a page: what somebody gets into one (a camera's name, a note) can't run."""
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
}
HSTS = "max-age=31536000"


class SecurityHeaders:
    """Adds them to every answer. What says nothing of caching is kept by nobody."""

    def __init__(self, app: ASGIApp, tls: bool) -> None:
        self._app = app
        self._headers = HEADERS | ({"Strict-Transport-Security": HSTS} if tls else {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        await self._app(scope, receive, send_with_headers)


LOOPBACK = frozenset({"localhost", "127.0.0.1", "[::1]"})


class KnownHosts:
    """Answers only under names that are the board's own.

    A board without users is open to this machine. Without this check a web page could reach it, too: its owner lets a
    name of theirs point to 127.0.0.1 (DNS rebinding), and the browser takes the board for a part of that page.
    """

    def __init__(self, app: ASGIApp, board: Board) -> None:
        self._app = app
        self._guard = board.guard
        self._hosts = frozenset(host.lower() for host in board.settings.board.hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and not await self._is_known(scope):
            refusal = PlainTextResponse("this name is not the board's: see board.hosts\n", 400)
            await refusal(scope, receive, send)
            return
        await self._app(scope, receive, send)

    async def _is_known(self, scope: Scope) -> bool:
        host = Headers(scope=scope).get("host", "").lower()
        name = host if host.endswith("]") else host.rpartition(":")[0] or host
        if name in self._hosts:
            return True
        if not self._hosts and not await self._is_open():
            return True
        return name in LOOPBACK

    async def _is_open(self) -> bool:
        try:
            return await self._guard.is_open()
        except RetryableError:
            return True  # nobody knows, so take the stricter
