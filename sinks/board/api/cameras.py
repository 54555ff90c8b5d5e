"""The line's cameras: how they do, and changes to them through the registry."""

from datetime import timedelta

from starlette.requests import Request

from andon.cameras.changing import Decide
from andon.errors import ConfigError, FatalError, RetryableError
from andon.messages import CameraConfig
from sinks.board.api.operation import operation
from sinks.board.board import Board, board_of
from sinks.board.camera_changes import apply
from sinks.board.camera_registry import added, changed, removed
from sinks.board.live_views import frame_json
from sinks.board.models.andon import CameraTile
from sinks.board.models.cameras import (
    Camera,
    CameraAddress,
    CameraChange,
    CameraFrame,
    CameraHistory,
    Cameras,
    CameraTrial,
    NewCamera,
    Session,
    Silence,
)
from sinks.board.pages.camera import known
from sinks.board.problems import ProblemError
from sinks.board.queries.camera import SessionRow, sessions, silences
from sinks.board.shown_url import shown_url
from sinks.board.tiles import Tile, tile
from sinks.board.timeline import HOURS


@operation("GET", "/cameras", role="viewer", summary="The line's cameras")
async def read_cameras(request: Request) -> Cameras:
    board = board_of(request)
    return Cameras(items=[_camera(board, shown) for shown in board.live.andon.cameras()])


@operation("GET", "/cameras/{camera_id}", role="viewer", summary="One camera", problems=(404,))
async def read_camera(request: Request) -> Camera:
    board = board_of(request)
    return _camera(board, known(board, request.path_params["camera_id"])[0])


@operation(
    "GET",
    "/cameras/{camera_id}/history",
    role="viewer",
    summary="Its sessions, and times without frames",
    problems=(404,),
)
async def read_history(request: Request) -> CameraHistory:
    board = board_of(request)
    name = known(board, request.path_params["camera_id"])[0].camera_id
    start = board.clock.now() - timedelta(hours=HOURS)
    rows, quiet = await board.reads.run(
        lambda connection: (sessions(connection, name), silences(connection, name, start))
    )
    return CameraHistory(
        sessions=[_session(row) for row in rows],
        silences=[
            Silence(start=span.started_at, end=span.ended_at, reason=span.reason, watched=span.watched)
            for span in quiet
        ],
    )


@operation("GET", "/cameras/{camera_id}/frame", role="viewer", summary="Its newest inspected frame", problems=(404,))
async def read_frame(request: Request) -> CameraFrame:
    board = board_of(request)
    newest = await board.live.views.newest(known(board, request.path_params["camera_id"])[0].camera_id)
    if newest is None:
        raise ProblemError(404, "no frame", "no frame of this camera has been inspected yet")
    return CameraFrame.model_validate(frame_json(newest))


@operation("POST", "/cameras", role="engineer", summary="Add a camera", status=201, problems=(409,))
async def add_camera(request: Request, body: NewCamera) -> Camera:
    board = board_of(request)
    try:
        decide = added(body.id, body.settings, board.settings, board.clock.now())
    except ConfigError as error:
        raise ProblemError(422, "the camera is not valid", str(error)) from None
    return _new(board, body.id, await _applied(request, "camera.add", body.id, decide, sorted(body.settings)))


@operation("PATCH", "/cameras/{camera_id}", role="engineer", summary="Change settings of a camera", problems=(404, 409))
async def change_camera(request: Request, body: CameraChange) -> Camera:
    board = board_of(request)
    name = known(board, request.path_params["camera_id"])[0].camera_id
    decide = changed(name, body.changes, board.settings, board.clock.now())
    return _new(board, name, await _applied(request, "camera.set", name, decide, sorted(body.changes)))


@operation("DELETE", "/cameras/{camera_id}", role="engineer", summary="Remove a camera", problems=(404, 409))
async def remove_camera(request: Request) -> None:
    board = board_of(request)
    name = known(board, request.path_params["camera_id"])[0].camera_id
    await _applied(request, "camera.remove", name, removed(name), [])


@operation("POST", "/camera-tests", role="engineer", summary="Open a camera and say what it delivers")
async def test_camera(request: Request, body: CameraAddress) -> CameraTrial:
    board = board_of(request)
    await board.audit(request, "camera.test", shown_url(body.url))
    try:
        trial = await board.live.trials.test(body.url)
    except ConfigError as error:
        raise ProblemError(422, "the camera can't be used", str(error)) from None
    except RetryableError as error:
        raise ProblemError(503, "not available now", str(error), {"Retry-After": "5"}) from None
    snapshot = trial.snapshot and f"/cameras/-/test/{trial.snapshot}.jpg"
    return CameraTrial(facts=dict(trial.facts), notes=list(trial.notes), snapshot=snapshot)


async def _applied(
    request: Request, action: str, camera_id: str, decide: Decide, settings: list[str]
) -> CameraConfig | None:
    try:
        return await apply(request, action, camera_id, decide, {"settings": list(settings)})
    except ConfigError as error:
        raise ProblemError(422, "the camera is not valid", str(error)) from None
    except FatalError as error:
        away = board_of(request).live.registry.fault is not None
        raise ProblemError(503 if away else 409, "not changed", str(error)) from None


def _camera(board: Board, shown: Tile) -> Camera:
    config = (board.live.registry.cameras or {}).get(shown.camera_id)
    return Camera.of(CameraTile.of(shown, board.live.andon.at), config)


def _new(board: Board, camera_id: str, config: CameraConfig | None) -> Camera:
    """A camera that has just been changed, of which the andon may know nothing yet."""
    shown = board.live.andon.tiles.get(camera_id) or tile(camera_id, None, board.settings.board.fresh_s)
    return Camera.of(CameraTile.of(shown, board.live.andon.at), config)


def _session(row: SessionRow) -> Session:
    tally = row.tally
    return Session(
        session=row.session,
        began=row.began,
        ended=row.ended,
        captured=tally.captured,
        inspected=tally.inspected,
        shed=tally.shed,
        quarantined=tally.quarantined,
        lost=tally.lost,
        in_flight=tally.in_flight,
    )


OPERATIONS = (
    read_cameras,
    read_camera,
    read_history,
    read_frame,
    add_camera,
    change_camera,
    remove_camera,
    test_camera,
)
