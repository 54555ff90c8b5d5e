"""Holes in the log of frames: each camera learns of the last one once, before its next record."""

from pydantic import TypeAdapter, ValidationError

from andon.messages import CameraId
from andon.stream.step import Delivery

_CAMERA_ID: TypeAdapter[str] = TypeAdapter(CameraId)


class Gaps:
    """The last hole of one partition. Where a camera did not learn of an earlier one, it has sent nothing since."""

    def __init__(self) -> None:
        self._offsets = range(0)
        self._informed: set[bytes] = set()
        """Keys of the cameras that have learned of it."""

    def before(self, delivery: Delivery) -> range:
        """The hole that the record's camera has to learn of; empty if there is none."""
        key = delivery.record.key
        if delivery.expired:
            self._offsets = delivery.expired
            self._informed.clear()
        if not self._offsets or key is None or key in self._informed or not _is_camera(key):
            return range(0)
        self._informed.add(key)
        return self._offsets


def _is_camera(key: bytes) -> bool:
    try:
        _CAMERA_ID.validate_python(key.decode())
    except (UnicodeDecodeError, ValidationError):
        return False
    return True
