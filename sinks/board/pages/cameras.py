"""`/cameras`: the line's cameras; engineers add, change, disable and remove them through the registry."""

from collections.abc import Mapping
from typing import Any

from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from andon.cameras.sections import digest
from andon.errors import ConfigError, FatalError, RetryableError
from sinks.board.board import Board, board_of
from sinks.board.camera_changes import apply
from sinks.board.camera_form import FIELDS, CameraForm
from sinks.board.camera_registry import added, changed, removed
from sinks.board.models.andon import CameraTile
from sinks.board.pages.camera import known
from sinks.board.problems import ProblemError
from sinks.board.rendering import render
from sinks.board.security.roles import requires
from sinks.board.shown_url import shown_url
from sinks.board.tiles import SYMBOLS
from sinks.board.words import CLASSES, words_for

NEW: Mapping[str, str] = dict.fromkeys(FIELDS, "")


@requires("viewer")
async def cameras(request: Request) -> Response:
    return render(request, "cameras.html", **_listed(request))


@requires("viewer")
async def rows(request: Request) -> Response:
    return render(request, "cameras_rows.html", **_listed(request))


def _listed(request: Request) -> dict[str, Any]:
    live = board_of(request).live
    configs, read = live.registry.cameras or {}, live.registry.cameras is not None
    # a camera that has just been removed is in the tiles of the last look
    tiles = [tile for name, tile in live.andon.tiles.items() if name in configs or not read]
    sources = {name: shown_url(str((config.settings or {}).get("url", ""))) for name, config in configs.items()}
    return {
        "tiles": [CameraTile.of(tile, live.andon.at) for tile in tiles],
        "configs": configs,
        "sources": sources,
        "registry_fault": live.registry.fault,
        "registry_read": read,
        "fresh_s": board_of(request).settings.board.fresh_s,
        "tile_symbols": SYMBOLS,
        "classes": dict(CLASSES),
        **words_for(request),
    }


@requires("engineer")
async def new(request: Request) -> Response:
    return _form(request, CameraForm("", NEW))


@requires("engineer")
async def edit(request: Request) -> Response:
    camera_id, section = _section(request)
    return _form(request, CameraForm.of(camera_id, section), known_digest=digest(section))


@requires("engineer")
async def add(request: Request) -> Response:
    board, form = board_of(request), await request.form()
    camera_id = str(form.get("id") or "").strip()
    filled = CameraForm.sent(camera_id, _texts(form))
    try:
        decide = added(camera_id, filled.section(), board.settings, board.clock.now())
        await apply(request, "camera.add", camera_id, decide, {"settings": [*sorted(filled.section())]})
    except (ConfigError, FatalError) as error:
        return _form(request, filled, complaint=str(error))
    return RedirectResponse("/cameras", 303)


@requires("engineer")
async def change(request: Request) -> Response:
    board, form = board_of(request), await request.form()
    camera_id, section = _section(request)
    filled, known_digest = CameraForm.sent(camera_id, _texts(form)), str(form.get("known_digest") or "")
    try:
        changes = filled.changes(section)
        decide = changed(camera_id, changes, board.settings, board.clock.now(), known_digest)
        await apply(request, "camera.set", camera_id, decide, {"settings": [*sorted(changes)]})
    except (ConfigError, FatalError) as error:
        return _form(request, filled, known_digest=known_digest, complaint=str(error))
    return RedirectResponse(f"/cameras/{camera_id}", 303)


@requires("engineer")
async def enable(request: Request) -> Response:
    return await _switched(request, on=True)


@requires("engineer")
async def disable(request: Request) -> Response:
    return await _switched(request, on=False)


async def _switched(request: Request, *, on: bool) -> Response:
    board, camera_id = board_of(request), request.path_params["camera_id"]
    known(board, camera_id)
    decide = changed(camera_id, {"enabled": on}, board.settings, board.clock.now())
    await _applied(request, "camera.enable" if on else "camera.disable", camera_id, decide)
    return RedirectResponse(f"/cameras/{camera_id}", 303)


@requires("engineer")
async def remove(request: Request) -> Response:
    """The form repeats the camera's id, so that nobody removes one with a slip of a finger."""
    camera_id, form = request.path_params["camera_id"], await request.form()
    if str(form.get("confirm") or "").strip() != camera_id:
        raise ProblemError(422, "not removed", "type the camera's id to remove it")
    await _applied(request, "camera.remove", camera_id, removed(camera_id))
    return RedirectResponse("/cameras", 303)


@requires("engineer")
async def test(request: Request) -> Response:
    """Opens the camera that the form describes, and shows what it delivers."""
    board, form = board_of(request), await request.form()
    url, transport = str(form.get("url") or "").strip(), str(form.get("transport") or "tcp")
    options = ["--transport", "udp"] if transport == "udp" else []
    await board.audit(request, "camera.test", shown_url(url))
    try:
        trial = await board.live.trials.test(url, options)
    except (ConfigError, RetryableError) as error:
        return render(request, "camera_trial.html", trial=None, complaint=str(error))
    return render(request, "camera_trial.html", trial=trial, complaint=None)


@requires("engineer")
async def snapshot(request: Request) -> Response:
    found = board_of(request).live.trials.snapshot(request.path_params["name"])
    if found is None:
        raise ProblemError(404, "no picture", "test the camera again")
    return Response(found, media_type="image/jpeg")


async def _applied(request: Request, action: str, camera_id: str, decide: Any) -> None:
    try:
        await apply(request, action, camera_id, decide, {})
    except (ConfigError, FatalError) as error:
        raise ProblemError(422 if isinstance(error, ConfigError) else 409, "not changed", str(error)) from None


def _section(request: Request) -> tuple[str, dict[str, Any]]:
    """The camera's id and its settings. Raises ProblemError where the registry has none."""
    camera_id = request.path_params["camera_id"]
    _, config = known(board_of(request), camera_id)
    if config is None:
        raise ProblemError(503, "not available now", "the registry of cameras has not been read yet")
    return camera_id, dict(config.settings or {})


def _form(request: Request, form: CameraForm, *, known_digest: str = "", complaint: str = "") -> Response:
    board: Board = board_of(request)
    context = {
        "form": form,
        "known_digest": known_digest,
        "complaint": complaint,
        "pools": sorted(board.settings.pools),
    }
    return render(request, "camera_form.html", status_code=422 if complaint else 200, **context)


def _texts(form: FormData) -> dict[str, object]:
    return {key: value for key, value in form.items() if isinstance(value, str)}


def routes() -> list[Route]:
    return [
        Route("/cameras", cameras),
        Route("/cameras", add, methods=["POST"]),
        Route("/cameras/-/rows", rows),  # no camera's id begins with a dash
        Route("/cameras/-/new", new),
        Route("/cameras/-/test", test, methods=["POST"]),
        Route("/cameras/-/test/{name}.jpg", snapshot),
        Route("/cameras/{camera_id}/edit", edit),
        Route("/cameras/{camera_id}", change, methods=["POST"]),
        Route("/cameras/{camera_id}/remove", remove, methods=["POST"]),
        Route("/cameras/{camera_id}/enable", enable, methods=["POST"]),
        Route("/cameras/{camera_id}/disable", disable, methods=["POST"]),
    ]
