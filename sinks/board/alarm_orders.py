"""Carries out what a person wants done with alarms: keeps the action, then sends the requests."""

from pydantic import ValidationError
from starlette.requests import Request

from andon.alarms.requests import request as new_request
from sinks.board.board import board_of
from sinks.board.models.alarms import AlarmOrder
from sinks.board.problems import ProblemError
from sinks.board.security.roles import allowed, user_of

ENGINEERS = ("out_of_service", "return_to_service")
"""What an operator may not do: an alarm out of service comes back only by hand."""


async def carry_out(request: Request, order: AlarmOrder) -> list[str]:
    """Returns the requests' ids, when Kafka has them. Raises ProblemError for what the user may not do, and
    RetryableError while the store or Kafka is away; what was sent until then counts."""
    board, user = board_of(request), user_of(request)
    if order.action in ENGINEERS and not allowed(user, "engineer"):
        raise ProblemError(403, "not allowed", "it takes the role engineer")
    more: dict[str, object] = {"note": order.note}
    if order.minutes is not None:
        more["for_s"] = order.minutes * 60
    now = board.clock.now()
    try:
        requests = [
            new_request(camera, order.action, user.name, now, alarms, **more)
            for camera, alarms in order.by_camera.items()
        ]
    except ValidationError as error:
        raise ProblemError(422, "the request is not valid", error.errors()[0]["msg"]) from None
    for each in requests:
        target = ", ".join(each.alarms) or each.camera_id
        await board.audit(request, f"alarm.{order.action}", target, {"note": order.note, "request": each.request_id})
        await board.requests.send(each)
    return [each.request_id for each in requests]
