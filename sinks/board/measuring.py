"""Measures how long each page takes to its first byte, by route, never by address: that would grow without end."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from andon.clock import Clock
from andon.events import Emit, PageServed

UNKNOWN = "unknown"


class RequestMetrics:
    def __init__(self, app: ASGIApp, emit: Emit, clock: Clock) -> None:
        self._app = app
        self._emit = emit
        self._clock = clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun_s = self._clock.monotonic()

        async def send_and_measure(message: Message) -> None:
            if message["type"] == "http.response.start":
                seconds = self._clock.monotonic() - begun_s
                self._emit(PageServed(_page(scope), message["status"], seconds))
            await send(message)

        await self._app(scope, receive, send_and_measure)


def _page(scope: Scope) -> str:
    if scope.get("path", "").startswith("/static/"):
        return "/static"
    return str(getattr(scope.get("route"), "path", UNKNOWN))
