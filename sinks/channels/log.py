"""What channels read back from Kafka: a record by its reference, or those of a camera between two offsets."""

from dataclasses import dataclass
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
        return not self.frame.content_type.startswith("video/")


def logged_of(record: Record) -> Logged | None:
    """The frame in the record; None: another message, one that can't be read, or a frame without its picture."""
    try:
        message = decode(record)
    except DecodeError:
        return None
    return Logged(record.offset, message) if isinstance(message, Frame) and message.payload else None
