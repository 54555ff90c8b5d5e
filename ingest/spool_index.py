"""What lies in a camera's spool, segment by segment, and what may be done next (pure).

A queue: appended at the end of the last segment, read from the first one. What is read stays on disk until it is
settled, and goes with its whole segment: a process that dies sends some of it again, and loses none of it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

FIRST = 10**9
"""There are numbers below it for what is put back at the front."""


@dataclass(slots=True)
class Segment:
    """One file. Only the last one, and only one that this process began, is written to."""

    number: int
    since: datetime
    """When it was begun: about as old as its oldest frame."""
    size_bytes: int = 0
    records: int = 0
    read: int = 0
    read_bytes: int = 0
    """Where the next record to be read begins."""
    settled: int = 0
    open: bool = False

    @property
    def done(self) -> bool:
        return self.settled == self.read == self.records


class SpoolIndex:
    """Of one camera. `found`: the segments that an earlier process left, oldest first."""

    def __init__(self, max_bytes: int, segment_bytes: int, found: Iterable[Segment] = ()) -> None:
        self._max_bytes = max_bytes
        self._segment_bytes = segment_bytes
        self._segments = {segment.number: segment for segment in found}
        self._next_number = max(self._segments, default=FIRST) + 1
        self.depth = sum(segment.records for segment in self._segments.values())
        """Records that have not been read."""
        self.size_bytes = sum(segment.size_bytes for segment in self._segments.values())
        """On disk, what is read and not settled included."""

    @property
    def since(self) -> datetime | None:
        """How old the oldest is."""
        first = next(iter(self._segments.values()), None)
        return None if first is None else first.since

    def has_room(self, size_bytes: int) -> bool:
        return self.size_bytes + size_bytes <= self._max_bytes

    def target(self, size_bytes: int, now: datetime) -> Segment:
        """Where the next record is appended: the last segment, or a new one."""
        last = next(reversed(self._segments.values()), None)
        if last is not None and last.open:
            if not last.size_bytes or last.size_bytes + size_bytes <= self._segment_bytes:
                return last
            last.open = False
        new = Segment(self._next_number, now, open=True)
        self._segments[new.number] = new
        self._next_number += 1
        return new

    def appended(self, segment: Segment, size_bytes: int) -> None:
        segment.records += 1
        segment.size_bytes += size_bytes
        self.depth += 1
        self.size_bytes += size_bytes

    def front(self, now: datetime) -> Segment:
        """A new segment before all others, for a process that ends: it is not read by this one."""
        new = Segment(min(self._segments, default=FIRST) - 1, now)
        self._segments = {new.number: new} | self._segments
        return new

    def next(self) -> Segment | None:
        """The one that holds the oldest record that has not been read."""
        return next((segment for segment in self._segments.values() if segment.read < segment.records), None)

    def took(self, segment: Segment, size_bytes: int) -> None:
        segment.read += 1
        segment.read_bytes += size_bytes
        self.depth -= 1

    def damaged(self, segment: Segment) -> int:
        """The rest of a segment can't be read. Returns how many records that are."""
        rest = segment.records - segment.read
        segment.records = segment.read
        segment.open = False
        self.depth -= rest
        return rest

    def settle(self, number: int) -> None:
        """A record that was read from this segment has arrived."""
        self._segments[number].settled += 1

    def remove_done(self) -> list[int]:
        """Forget the segments of which nothing is needed any more, and return their numbers."""
        done = [segment for segment in self._segments.values() if segment.done]
        for segment in done:
            del self._segments[segment.number]
            self.size_bytes -= segment.size_bytes
        return [segment.number for segment in done]
