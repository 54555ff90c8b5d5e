"""Reads frames back from Kafka: one by its reference, or those of a camera between two offsets.

The pictures and the clips of defects that lie close together show the same frames. So the frames that were read last
are kept, of each camera one piece of its log without a gap.
"""

import asyncio
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import accumulate
from operator import attrgetter
from typing import Protocol

from andon.errors import DecodeError
from andon.messages import Frame, RecordRef
from andon.stream.offsets import Partition
from andon.stream.ranges import Enough, never
from andon.wire import Record, decode

KEPT_BYTES = 32_000_000
"""Of the frames that are kept, of all cameras together: about 30 s of video at 8 Mbit/s."""


class Records(Protocol):
    """The part of `andon.stream.reading.RecordReader` that channels need."""

    async def read(self, ref: RecordRef) -> Record | None: ...


class Ranges(Protocol):
    """The part of `andon.stream.ranges.RangeReader` that channels need."""

    async def read_range(
        self, partition: Partition, first: int, last: int | None, key: bytes, enough: Enough = never
    ) -> list[Record]: ...


@dataclass(frozen=True, slots=True)
class LoggedFrame:
    """A frame, and the offset of its record."""

    offset: int
    frame: Frame

    @property
    def starts(self) -> bool:
        """Whether a decoder can start here."""
        return self.frame.keyframe or not self.frame.content_type.startswith("video/")


@dataclass(slots=True, eq=False)
class _Piece:
    """A piece of a camera's log, from `first` on up to its last frame."""

    first: int
    frames: list[LoggedFrame] = field(repr=False)
    bytes: int = 0

    def __post_init__(self) -> None:
        self.bytes = sum(len(logged.frame.payload) for logged in self.frames)

    def begins_within(self, first: int, last: int | None) -> bool:
        """Whether it goes on where the offsets `first` to `last` end, or before."""
        return last is not None and first < self.first <= last + 1

    def has(self, offset: int) -> bool:
        return self.first <= offset <= self.frames[-1].offset

    def since(self, offset: int) -> list[LoggedFrame]:
        return self.frames[bisect_left(self.frames, offset, key=attrgetter("offset")) :]


Over = Callable[[LoggedFrame], bool]


def endless(logged: LoggedFrame) -> bool:
    return False


class Log:
    """Event loop only. Its methods raise as RecordReader and RangeReader do."""

    def __init__(self, records: Records, ranges: Ranges, kept_bytes: int = KEPT_BYTES) -> None:
        self.records = records
        self.ranges = ranges
        self._kept_bytes = kept_bytes
        self._pieces: OrderedDict[tuple[Partition, str], _Piece] = OrderedDict()
        """By partition and camera, the one that was used last at the end."""
        self._turn = asyncio.Lock()

    async def frame(self, frame_id: str, ref: RecordRef) -> LoggedFrame | None:
        """The frame whose record is at `ref`. None: it is gone, or another one is there."""
        piece = self._pieces.get((Partition(ref.topic, ref.partition), camera_of(frame_id)))
        if piece is not None and piece.has(ref.offset):
            logged: LoggedFrame | None = piece.since(ref.offset)[0]
        else:
            record = await self.records.read(ref)
            logged = None if record is None else logged_of(record)
        return logged if logged is not None and logged.frame.frame_id == frame_id else None

    async def frames(
        self, partition: Partition, first: int, last: int | None, camera_id: str, over: Over = endless
    ) -> list[LoggedFrame]:
        """The camera's frames from offset `first` to `last`, both included, as far as the log has them.

        `last`: None: to the end that the log has now. The first frame for which `over` is true ends them, and is one
        of them.
        """
        async with self._turn:
            piece = self._pieces.pop((partition, camera_id), None)  # and back when it is whole again
            if piece is not None and piece.begins_within(first, last):
                piece = await self._begun_earlier(partition, piece, first, camera_id)
            if piece is not None and not piece.has(first) and first != piece.frames[-1].offset + 1:
                piece = None
            found = None if piece is None else await self._from(partition, piece, first, last, over)
            if piece is None or found is None:
                found = await self._read(partition, first, last, camera_id, over)
                piece = _Piece(first, list(found))
            self._keep((partition, camera_id), piece)
            return found

    async def _begun_earlier(self, partition: Partition, piece: _Piece, first: int, camera_id: str) -> _Piece | None:
        """The piece with the frames from `first` on. None: they do not join it."""
        before = await self._read(partition, first, piece.first - 1, camera_id)
        return _Piece(first, [*before, *piece.frames]) if _join(before, piece.frames) else None

    async def _from(
        self, partition: Partition, piece: _Piece, first: int, last: int | None, over: Over
    ) -> list[LoggedFrame] | None:
        """The frames from `first` on, which lies in the piece or right behind it; the piece grows by what it lacks.

        None: what follows does not join it.
        """
        found: list[LoggedFrame] = []
        for logged in piece.since(first):
            if last is not None and logged.offset > last:
                return found
            found.append(logged)
            if over(logged):
                return found
        newest = piece.frames[-1]
        if last is not None and last <= newest.offset:
            return found
        more = await self._read(partition, newest.offset + 1, last, newest.frame.camera_id, over)
        if not _join(piece.frames, more):
            return None
        piece.frames += more
        piece.bytes += sum(len(logged.frame.payload) for logged in more)
        return found + more

    async def _read(
        self, partition: Partition, first: int, last: int | None, camera_id: str, over: Over = endless
    ) -> list[LoggedFrame]:
        by_offset: dict[int, LoggedFrame | None] = {}

        def enough(record: Record) -> bool:
            logged = by_offset[record.offset] = logged_of(record)
            return logged is not None and over(logged)

        records = await self.ranges.read_range(partition, first, last, camera_id.encode(), enough)
        found = (by_offset[record.offset] if record.offset in by_offset else logged_of(record) for record in records)
        return [logged for logged in found if logged is not None]

    def _keep(self, key: tuple[Partition, str], piece: _Piece) -> None:
        """Keep the piece, and let go of what was used longest ago."""
        if piece.frames and piece.bytes <= self._kept_bytes:
            self._pieces[key] = piece
        while sum(kept.bytes for kept in self._pieces.values()) > self._kept_bytes:
            self._pieces.popitem(last=False)


def _join(earlier: list[LoggedFrame], later: list[LoggedFrame]) -> bool:
    """Whether nothing is missing between them. A broker that has lost a log's end appends other frames at its offsets,
    so two pieces that were read apart may be of two logs."""
    if not earlier or not later:
        return True
    before, after = earlier[-1].frame, later[0].frame
    return (before.session, before.seq + 1) == (after.session, after.seq)


def camera_of(frame_id: str) -> str:
    return frame_id.split("/", 1)[0]


def units_of(frame: Frame) -> list[bytes]:
    """The access units of a video frame's payload; the last one is the frame."""
    if frame.units is None:
        return [frame.payload]
    ends = list(accumulate(frame.units))
    return [frame.payload[end - size : end] for end, size in zip(ends, frame.units, strict=True)]


def logged_of(record: Record) -> LoggedFrame | None:
    """The frame in the record; None: another message, or one that can't be read."""
    try:
        message = decode(record)
    except DecodeError:
        return None
    return LoggedFrame(record.offset, message) if isinstance(message, Frame) else None
