"""A person's change to a camera: first into the table of actions, then into the registry."""

from collections.abc import Mapping

from pydantic import JsonValue
from starlette.requests import Request

from andon.cameras.changing import Decide
from andon.messages import CameraConfig
from sinks.board.board import board_of


async def apply(
    request: Request, action: str, camera_id: str, decide: Decide, detail: Mapping[str, JsonValue]
) -> CameraConfig | None:
    """Returns what the camera is after it. Raises ConfigError or FatalError, in one line, where nothing was changed."""
    board = board_of(request)
    decide(board.live.registry.cameras or {})  # a wrong request is no action
    await board.audit(request, action, camera_id, detail)
    _, after = await board.live.registry.change(camera_id, decide)
    return after
