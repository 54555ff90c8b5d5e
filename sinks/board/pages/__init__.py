"""The board's pages. Each module has `routes()`, and `watch(board)` if something must be looked at for it regularly."""

from collections.abc import Callable, Iterator

from starlette.routing import Route

from sinks.board.board import Board
from sinks.board.news import Look
from sinks.board.pages import actions, alarms, andon, camera, cameras, evidence, pictures, shift, system

ROUTES = (
    andon.routes,
    alarms.routes,
    cameras.routes,
    camera.routes,
    pictures.routes,
    shift.routes,
    actions.routes,
    evidence.routes,
    system.routes,
)
"""One line for each module with pages."""
WATCHES: tuple[Callable[[Board], Iterator[tuple[str, Look]]], ...] = (
    lambda board: board.live.watches(),
    alarms.watch,
    system.watch,
)
"""`watch(board)` of modules: an iterator of names, and of functions that `News.every` calls."""


def routes() -> list[Route]:
    return [route for module in ROUTES for route in module()]


def watches(board: Board) -> Iterator[tuple[str, Look]]:
    for watch in WATCHES:
        yield from watch(board)
