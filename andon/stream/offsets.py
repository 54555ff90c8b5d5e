"""Partitions, and the offsets in flight -> the highest offset that may be committed. Pure."""

from collections import deque
from typing import NamedTuple


class Partition(NamedTuple):
    """One partition of a topic. `consumer` alone turns it into the client's type."""

    topic: str
    partition: int


class Ends(NamedTuple):
    """Where a partition's log begins and ends."""

    first: int
    """Offset of the oldest record that the log still has."""
    end: int
    """Offset that the next record will get."""


class OffsetTracker:
    """The offsets of one partition that are in flight.

    Offsets are taken in ascending order, with holes where the log has none (compaction, transaction markers), and may
    be done in any order. The offset to commit is the one after the last that is done together with all before it.
    """

    def __init__(self, resumed_at: int | None = None) -> None:
        """`resumed_at`: every record before this offset is done, whatever has been committed."""
        self._taken: deque[int] = deque()
        self._done: set[int] = set()
        self._next = resumed_at
        self.in_flight = 0

    @property
    def committable(self) -> int | None:
        """The offset to commit (the next one to read), or None while nothing is done."""
        return self._next

    def take(self, offset: int) -> None:
        if self._taken and offset <= self._taken[-1]:
            raise ValueError(f"offset {offset} was taken after {self._taken[-1]}")
        self._taken.append(offset)
        self.in_flight += 1

    def done(self, offset: int) -> None:
        """Mark one taken offset as done. Raises ValueError for an offset that is not in flight: the caller is wrong."""
        taken = self._taken
        if offset in self._done or not taken or not taken[0] <= offset <= taken[-1]:
            raise ValueError(f"offset {offset} is not in flight")
        self._done.add(offset)
        self.in_flight -= 1
        while taken and taken[0] in self._done:
            first = taken.popleft()
            self._done.remove(first)
            self._next = first + 1
