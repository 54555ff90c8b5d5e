"""`/`: the andon. What it shows is computed once for all viewers; see `sinks/board/andon.py`."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from sinks.board import line_state
from sinks.board.andon import WHOLE, groups_of
from sinks.board.board import board_of
from sinks.board.models.andon import CameraTile, LineWord, ShiftNow
from sinks.board.problems import ProblemError
from sinks.board.rendering import render
from sinks.board.security.roles import requires
from sinks.board.tiles import SYMBOLS
from sinks.board.words import CLASSES, words_for


@requires("viewer")
async def andon(request: Request) -> Response:
    return render(request, "andon.html", **_shown(request), **_tiles(request))


@requires("viewer")
async def state(request: Request) -> Response:
    return render(request, "andon_state.html", **_shown(request))


@requires("viewer")
async def tiles(request: Request) -> Response:
    return render(request, "andon_tiles.html", **_shown(request), **_tiles(request))


@requires("viewer")
async def shift(request: Request) -> Response:
    return render(request, "andon_shift.html", **_shown(request))


@requires("viewer")
async def defect(request: Request) -> Response:
    return render(request, "andon_defect.html", **_shown(request))


def _shown(request: Request) -> dict[str, Any]:
    """What the page and each of its fragments show: of the group that `group` names, or of a screen's next line.

    Without the tiles: all viewers ask for the newest defect at once, and a hundred tiles take longer than all else.
    """
    board = board_of(request)
    live, settings = board.live, board.settings.board
    group = _group(request)
    names = {tile.camera_id for tile in live.andon.cameras(group)}
    screen = settings.screens.get(group.partition("/")[0])
    return {
        "group": group,
        "title": screen.lines[int(group.partition("/")[2])].name if screen else board.settings.line,
        "following": _following(group, len(screen.lines)) if screen else None,
        "every_s": screen.every_s if screen else None,
        "state": LineWord.of(live.andon.line(group)),
        "fresh_s": settings.fresh_s,
        "defect": next((found for found in board.news.defects if found.camera_id in names), None),
        "store_fault": board.news.store_fault,
        "redis_fault": board.news.redis_fault,
        "shift": ShiftNow.of(live.production.now),
        "registry_read": live.registry.cameras is not None,
        "classes": dict(CLASSES),
        "symbols": line_state.SYMBOLS,
        "tile_symbols": SYMBOLS,
        **words_for(request),
    }


def _tiles(request: Request) -> dict[str, Any]:
    andon_now = board_of(request).live.andon
    return {"tiles": [CameraTile.of(tile, andon_now.at) for tile in andon_now.cameras(_group(request))]}


def _group(request: Request) -> str:
    """Raises ProblemError for a group that no screen has. A kiosk without a screen of its name shows the whole line."""
    settings = board_of(request).settings.board
    group, kiosk = request.query_params.get("group"), request.query_params.get("kiosk", "")
    if group is None:
        return f"{kiosk}/0" if kiosk in settings.screens else WHOLE
    if group not in groups_of(settings):
        raise ProblemError(404, "no such part of the line", "board.screens names the parts of the line")
    return group


def _following(group: str, lines: int) -> str | None:
    """The group that the screen shows next; None: it has only one."""
    screen, _, number = group.rpartition("/")
    return f"{screen}/{(int(number) + 1) % lines}" if lines > 1 else None


def routes() -> list[Route]:
    return [
        Route("/", andon),
        Route("/andon/state", state),
        Route("/andon/tiles", tiles),
        Route("/andon/shift", shift),
        Route("/andon/defect", defect),
    ]
