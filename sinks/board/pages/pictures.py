"""Pictures of frames: whole, as the camera's frame holds them, and small ones for tiles."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from andon.messages import RecordRef
from sinks.board.board import board_of
from sinks.board.pictures import BrowserPicture, NoPictureError
from sinks.board.problems import ProblemError
from sinks.board.security.roles import requires

MOST = 2**31
KEEP_S = 600
"""A record never changes, so a browser may keep its picture; not for ever, because a log may begin again."""
SMALL_KEEP_S = 1


@requires("viewer")
async def picture(request: Request) -> Response:
    """The picture in a record of a topic of frames."""
    where = request.path_params
    if where["partition"] >= MOST or where["offset"] >= 2**63:
        raise ProblemError(404, "no picture", "there is no such record")
    ref = RecordRef(topic=where["topic"], partition=where["partition"], offset=where["offset"])
    try:
        return _answer(await board_of(request).live.pictures.of(ref), KEEP_S)
    except NoPictureError as error:
        raise _problem(error) from None


@requires("viewer")
async def small(request: Request) -> Response:
    """The newest inspected frame of a camera, small; of video the keyframe of its group: a tile is looked at all the
    time, and this costs one decoded picture instead of the whole group. The header X-Frame names it.
    """
    live = board_of(request).live
    newest = await live.views.newest(request.path_params["camera_id"])
    if newest is None:
        raise ProblemError(404, "no picture", "no frame of this camera has been inspected yet")
    try:
        return _answer(await live.small.of(await live.pictures.of(newest.keyframe or newest.frame)), SMALL_KEEP_S)
    except NoPictureError as error:
        raise _problem(error) from None


def _answer(found: BrowserPicture, keep_s: int) -> Response:
    headers = {"Cache-Control": f"private, max-age={keep_s}", "X-Frame": found.frame_id}
    return Response(found.payload, media_type=found.content_type, headers=headers)


def _problem(error: NoPictureError) -> ProblemError:
    if error.later:
        return ProblemError(503, "not available now", error.why, {"Retry-After": "2"})
    return ProblemError(404, "no picture", error.why)


def routes() -> list[Route]:
    return [
        Route("/pictures/{topic}/{partition:int}/{offset:int}", picture),
        Route("/cameras/{camera_id}/small.jpg", small),
    ]
