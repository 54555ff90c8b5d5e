"""`/`: the andon."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sinks.board.board import board_of
from sinks.board.rendering import render
from sinks.board.security.roles import requires


@requires("viewer")
async def home(request: Request) -> Response:
    news = board_of(request).news
    return render(request, "home.html", cameras=news.cameras)


@requires("viewer")
async def tiles(request: Request) -> Response:
    news = board_of(request).news
    return render(request, "home_tiles.html", cameras=news.cameras)


def routes() -> list[Route]:
    return [Route("/", home), Route("/tiles", tiles)]
