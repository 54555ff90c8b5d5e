"""`/cameras/ID`: one camera, with its live view, its account and its settings."""

from datetime import timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from andon.cameras.live import state_of
from andon.cameras.sections import Section
from andon.errors import RetryableError
from andon.messages import CameraConfig, Inspection
from sinks.board.board import Board, board_of
from sinks.board.live_views import TOPIC, frame_json
from sinks.board.models.andon import CameraTile
from sinks.board.problems import ProblemError
from sinks.board.queries.camera import sessions, silences
from sinks.board.rendering import render
from sinks.board.security.roles import requires
from sinks.board.shown_url import shown_url
from sinks.board.tiles import SYMBOLS, Tile
from sinks.board.timeline import HOURS, timeline
from sinks.board.words import CLASSES, words_for
from sinks.judgement.spans import Span


@requires("viewer")
async def camera(request: Request) -> Response:
    board = board_of(request)
    tile, config = known(board, request.path_params["camera_id"])
    shown = _facts(request, board, tile) | await _history(board, tile)
    newest, frame_read = await _newest(board, tile.camera_id)
    return render(
        request,
        "camera.html",
        config=config,
        settings=_settings(config),
        topic=TOPIC + tile.camera_id,
        frame=None if newest is None else frame_json(newest),
        frame_read=frame_read,
        **shown,
    )


@requires("viewer")
async def facts(request: Request) -> Response:
    """How the camera does now."""
    board = board_of(request)
    tile, _ = known(board, request.path_params["camera_id"])
    return render(request, "camera_facts.html", **_facts(request, board, tile))


def known(board: Board, camera_id: str) -> tuple[Tile, CameraConfig | None]:
    """The camera's tile and its config. Raises ProblemError: the line has no such camera, or nobody can say it now."""
    tile = board.live.andon.tiles.get(camera_id)
    if tile is None and board.live.registry.cameras is None and board.news.redis_fault:
        raise ProblemError(503, "not available now", "neither Redis nor the registry of cameras has answered yet")
    if tile is None:
        raise ProblemError(404, "no such camera", f"the line has no camera {camera_id[:63]!r}")
    return tile, (board.live.registry.cameras or {}).get(camera_id)


def _facts(request: Request, board: Board, tile: Tile) -> dict[str, Any]:
    news = board.news.cameras.get(tile.camera_id)
    return {
        "tile": CameraTile.of(tile, board.live.andon.at),
        "live": None if news is None else state_of(news.fields),
        "fresh_s": board.settings.board.fresh_s,
        "tile_symbols": SYMBOLS,
        "classes": dict(CLASSES),
        **words_for(request),
    }


async def _newest(board: Board, camera_id: str) -> tuple[Inspection | None, bool]:
    """The newest inspected frame, and whether Redis could be asked for it."""
    try:
        return await board.live.views.newest(camera_id), True
    except RetryableError:
        return None, False


async def _history(board: Board, tile: Tile) -> dict[str, Any]:
    """Sessions and spans without frames. No timeline: the store does not answer, and the page says so."""
    now = board.clock.now()
    name, start = tile.camera_id, now - timedelta(hours=HOURS)
    try:
        found, quiet = await board.reads.run(
            lambda connection: (sessions(connection, name), silences(connection, name, start))
        )
    except RetryableError:
        return {"sessions": [], "timeline": None}
    if tile.kind in ("blind", "fault") and tile.heard_s is not None:
        began = now - timedelta(seconds=max(tile.heard_s, tile.frame_age_s or 0.0))
        quiet = [*quiet, Span(name, began, None, tile.detail or tile.state, watched=True)]
    return {"sessions": found, "timeline": timeline(quiet, now)}


def _settings(config: CameraConfig | None) -> Section:
    """The settings, as everybody may see them."""
    section = dict((config and config.settings) or {})
    return section | ({"url": shown_url(str(section["url"]))} if "url" in section else {})


def routes() -> list[Route]:
    return [Route("/cameras/{camera_id}", camera), Route("/cameras/{camera_id}/facts", facts)]
