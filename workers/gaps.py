"""Holes in the log of frames, and which cameras have been told of them: each once, before its next record."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from pydantic import TypeAdapter, ValidationError

from andon.messages import CameraId
from andon.stream.offsets import Partition
from andon.stream.step import Delivery

_CAMERA_ID: TypeAdapter[str] = TypeAdapter(CameraId)


@dataclass(slots=True, eq=False)
class _Gap:
    offsets: range
    told: set[bytes] = field(default_factory=set)


class Gaps:
    """The last hole of each partition: an earlier one that a camera has not been told of lies within its silence."""

    def __init__(self) -> None:
        self._gaps: dict[Partition, _Gap] = {}

    def forget(self, partitions: Iterable[Partition]) -> None:
        for partition in partitions:
            self._gaps.pop(partition, None)

    def before(self, delivery: Delivery) -> range:
        """The hole that the record's camera has to be told of; empty if there is none."""
        record = delivery.record
        partition = Partition(record.topic, record.partition)
        if delivery.expired:
            self._gaps[partition] = _Gap(delivery.expired)
        gap = self._gaps.get(partition)
        if gap is None or record.key is None or record.key in gap.told or not _is_camera(record.key):
            return range(0)
        gap.told.add(record.key)
        return gap.offsets


def _is_camera(key: bytes) -> bool:
    try:
        _CAMERA_ID.validate_python(key.decode())
    except (UnicodeDecodeError, ValidationError):
        return False
    return True
