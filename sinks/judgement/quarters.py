"""Frames by outcome in each quarter of an hour: what a shift's report adds up. Pure.

A frame counts in the quarter in which it was captured; one that was shed or lost counts when the record was made that
says so. The sums of all quarters are the camera's totals: they change in the same transaction.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from sinks.judgement.state import Totals

QUARTER_S = 900
"""Every time zone's offset, and nearly every shift's start, is a multiple of it."""


def quarter_of(at: datetime) -> int:
    """The number of the quarter of an hour since 1970, in UTC."""
    return int(at.timestamp() // QUARTER_S)


class FrameCounts(NamedTuple):
    inspected: int
    unfit: int
    """Of the inspected frames: those whose picture was no basis for a verdict."""
    shed: int
    quarantined: int
    lost: int


@dataclass(frozen=True, slots=True)
class QuarterFrames:
    camera_id: str
    quarter: int
    counts: FrameCounts


def counts_of(totals: Totals) -> FrameCounts:
    """The counts of all quarters up to now."""
    unfit = totals.unknown - totals.shed - totals.quarantined
    return FrameCounts(totals.inspected, unfit, totals.shed, totals.quarantined, totals.lost)


@dataclass(slots=True)
class FrameSums:
    """What a batch adds to the quarters. `lost` may fall: a frame may come after all."""

    _sums: dict[tuple[str, int], FrameCounts] = field(default_factory=dict)

    def add(self, camera_id: str, at: datetime, before: FrameCounts, after: FrameCounts) -> None:
        """A record of this time has changed the camera's totals from `before` to `after`."""
        if before == after:
            return
        key = (camera_id, quarter_of(at))
        sums = self._sums.get(key, FrameCounts(0, 0, 0, 0, 0))
        parts = zip(sums, before, after, strict=True)
        self._sums[key] = FrameCounts(*(total + new - old for total, old, new in parts))

    def __iter__(self) -> Iterator[QuarterFrames]:
        return (QuarterFrames(*key, counts) for key, counts in self._sums.items())
