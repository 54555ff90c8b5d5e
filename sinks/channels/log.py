"""What channels read back from Kafka: a record by its reference, or those of a camera between two offsets."""

from dataclasses import dataclass
from itertools import accumulate
from typing import Protocol

from andon.errors import DecodeError
from andon.messages import Frame, RecordRef
from andon.stream.offsets import Partition
from andon.stream.ranges import Enough, never
from andon.wire import Record, decode


class Records(Protocol):
    """The part of `andon.stream.reading.RecordReader` that channels need."""

    async def read(self, ref: RecordRef) -> Record | None: ...


class Ranges(Protocol):
    """The part of `andon.stream.ranges.RangeReader` that channels need."""

    async def read_range(
        self, partition: Partition, first: int, last: int | None, key: bytes, enough: Enough = never
    ) -> list[Record]: ...


@dataclass(frozen=True, slots=True)
class Log:
    records: Records
    ranges: Ranges


@dataclass(frozen=True, slots=True)
class Logged:
    """A frame, and the offset of its record."""

    offset: int
    frame: Frame

    @property
    def starts(self) -> bool:
        """Whether a decoder can start here."""
        return self.frame.keyframe or not self.frame.content_type.startswith("video/")


def units_of(frame: Frame) -> list[bytes]:
    """The access units of a video frame's payload; the last one is the frame."""
    if frame.units is None:
        return [frame.payload]
    ends = list(accumulate(frame.units))
    return [frame.payload[end - size : end] for end, size in zip(ends, frame.units, strict=True)]


def logged_of(record: Record) -> Logged | None:
    """The frame in the record; None: another message, or one that can't be read."""
    try:
        message = decode(record)
    except DecodeError:
        return None
    return Logged(record.offset, message) if isinstance(message, Frame) else None
