"""Holes in the log of frames: each camera learns of the last one once, before its next record."""

from typing import NamedTuple

from pydantic import TypeAdapter, ValidationError

from andon.messages import CameraId, HoleReason
from andon.stream.step import Cut, Delivery

_CAMERA_ID: TypeAdapter[str] = TypeAdapter(CameraId)


class OffsetHole(NamedTuple):
    """Offsets whose records are gone, and why."""

    offsets: range
    reason: HoleReason


class OffsetGaps:
    """The last hole of one partition. Where a camera did not learn of an earlier one, it has sent nothing since."""

    def __init__(self, cut: Cut | None = None) -> None:
        """`cut`: the log has lost its end since it was read."""
        self._hole = OffsetHole(cut.gone, "log_lost") if cut is not None and cut.gone else None
        self._informed: set[bytes] = set()
        """Keys of the cameras that have learned of it."""

    def before(self, delivery: Delivery) -> OffsetHole | None:
        """The hole that the record's camera has to learn of, if there is one."""
        key = delivery.record.key
        if delivery.expired:
            self._hole = OffsetHole(delivery.expired, "expired")
            self._informed.clear()
        if self._hole is None or key is None or key in self._informed or not _is_camera(key):
            return None
        self._informed.add(key)
        return self._hole


def _is_camera(key: bytes) -> bool:
    try:
        _CAMERA_ID.validate_python(key.decode())
    except (UnicodeDecodeError, ValidationError):
        return False
    return True
