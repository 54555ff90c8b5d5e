"""Is the log that the broker has the one that the store knows? Pure."""

from dataclasses import dataclass, replace

from andon.stream.offsets import Ends
from andon.stream.step import Cut
from sinks.store.stored import Position


@dataclass(frozen=True, slots=True)
class Epoch:
    """Where an account begins anew, and why."""

    position: Position
    detail: str
    expired: bool = False
    """It is the same log, which has moved on unread."""


def another_log(stored: Position | None, log: str, ends: Ends, cut: Cut | None = None) -> Epoch | None:
    """The epoch in which the account begins anew; None where the stored position can be resumed from.

    `log` is the name that the settings give the log. `cut`: the log has lost its end since this process read it. A
    process that has just started recognises a log that has lost its end by that end, unless the log has grown past the
    stored offset meanwhile: for a broker that came back empty, the name is for that case.
    """
    first, end = ends
    if stored is None:
        return Epoch(Position(1, log, first), "the first")
    anew = Position(stored.epoch + 1, log, first)
    at = stored.next_offset
    if stored.log != log:
        return Epoch(anew, f"the log is {log or 'unnamed'}, it was {stored.log or 'unnamed'}")
    if cut is not None and cut.gone and cut.gone.start < at:
        begins = replace(anew, next_offset=min(max(first, cut.resume_at), at))
        return Epoch(begins, f"the broker has lost the records {cut.gone.start} to {cut.gone.stop - 1} of the log")
    if end < at:
        lost = "came back empty" if end == first else "has lost the end of the log"
        return Epoch(anew, f"the log ends at {end}, {at} records of it are accounted for: the broker {lost}")
    if first > at:
        return Epoch(anew, f"records {at} to {first - 1} expired before they were accounted for", expired=True)
    return None
