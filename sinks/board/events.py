"""`/events`: the hub's messages as server-sent events."""

from collections.abc import AsyncIterator, Iterable

from sse_starlette.sse import EventSourceResponse, SendTimeoutError
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from sinks.board.board import board_of
from sinks.board.hub import CutOffError, Hub
from sinks.board.problems import ProblemError
from sinks.board.security.roles import requires

SEND_S = 15.0
"""Seconds that one message may take to leave for a viewer, past which it is cut off."""
MOST_TOPICS = 32
"""Topics with a colon that one page may ask for."""


class _Stream(EventSourceResponse):
    """Ends quietly with a viewer that takes nothing any more."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        except SendTimeoutError:
            pass  # the server closes the connection of an answer that is not whole


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
    return _Stream(_messages(hub, also, last), ping=0, send_timeout=SEND_S)


async def _messages(hub: Hub, also: Iterable[str], last: str | None) -> AsyncIterator[bytes]:
    try:
        with hub.subscribed(also, last) as viewer:
            while True:
                yield (await viewer.next()).encoded
    except CutOffError:
        return


def routes() -> list[Route]:
    return [Route("/events", events)]
