"""A camera's state as its pictures' health makes it. Pure: whoever judges the pictures states it the same way."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from andon.messages import CameraState, CameraStatus, ImageHealth

UNHEALTHY: Mapping[CameraState, str] = {
    "frozen": "the same picture again and again",
    "dark": "the picture is dark",
    "overexposed": "the picture is over-exposed",
    "blurred": "the picture is less sharp than it used to be",
}
NEXT = timedelta(milliseconds=1)


def stated(status: CameraStatus, health: ImageHealth | None) -> CameraStatus:
    """The ingester's status with what its pictures show, which it can't see itself where it decodes none."""
    if health is None or status.state != "online":
        return status
    return status.model_copy(update={"state": health, "detail": UNHEALTHY[health]})


def changed(status: CameraStatus, health: ImageHealth | None, at: datetime) -> CameraStatus:
    """The status after a change of health in the picture that was taken at `at`. It is newer than `status`."""
    return stated(status, health).model_copy(update={"at": max(at, status.at + NEXT)})
