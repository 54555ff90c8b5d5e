"""`/events`: the hub's messages as server-sent events."""

from collections.abc import AsyncIterator, Iterable

from sse_starlette.sse import EventSourceResponse, SendTimeoutError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from andon.events import ViewerCutOff
from sinks.board.board import address_of, board_of
from sinks.board.hub import CutOffError
from sinks.board.problems import ProblemError
from sinks.board.security.roles import requires

SEND_S = 15.0
"""Seconds that one message may take to leave for a viewer, past which it is cut off."""
STREAM_S = 600.0
"""Seconds after which a stream ends and the browser opens the next: whoever was logged out since then is out."""
MOST_TOPICS = 32
"""Topics with a colon that one page may ask for."""


class _Stream(EventSourceResponse):
    """Ends quietly with a viewer that takes nothing any more."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        except SendTimeoutError:  # the server closes the connection of an answer that is not whole
            request = Request(scope)
            board_of(request).emit(ViewerCutOff(address_of(request)))


@requires("viewer")
async def events(request: Request) -> Response:
    """`also`: topics with a colon, separated by commas; `last`: the last id seen, as the header Last-Event-ID."""
    hub = board_of(request).hub
    if hub.full:
        raise ProblemError(
            503, "too many viewers", "board.viewers limits the open pages; close some", {"Retry-After": "5"}
        )
    also = [topic for topic in request.query_params.get("also", "").split(",") if topic][:MOST_TOPICS]
    last = request.headers.get("last-event-id") or request.query_params.get("last") or None
    return _Stream(_messages(request, also, last), ping=0, send_timeout=SEND_S)


async def _messages(request: Request, also: Iterable[str], last: str | None) -> AsyncIterator[bytes]:
    board = board_of(request)
    until_s = board.clock.monotonic() + STREAM_S
    try:
        with board.hub.subscribed(also, last) as viewer:
            while board.clock.monotonic() < until_s:
                yield (await viewer.next()).encoded
    except CutOffError:
        if not board.hub.closed:
            board.emit(ViewerCutOff(address_of(request)))


def routes() -> list[Route]:
    return [Route("/events", events)]
