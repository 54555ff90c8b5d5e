"""Is the log that the broker has the one that the store knows? Pure."""

from dataclasses import dataclass

from andon.stream.offsets import Ends
from sinks.store.stored import Position


@dataclass(frozen=True, slots=True)
class Epoch:
    """Where an account begins anew, and why."""

    position: Position
    detail: str
    expired: bool = False
    """It is the same log, which has moved on unread."""


def another_log(stored: Position | None, log: str, ends: Ends) -> Epoch | None:
    """The epoch in which the account begins anew; None where the stored position can be resumed from.

    `log` is the name that the settings give the log. A broker that came back empty is recognised by its log's end,
    unless the log has grown past the stored offset meanwhile: the name is for that case.
    """
    first, end = ends
    if stored is None:
        return Epoch(Position(1, log, first), "the first")
    anew = Position(stored.epoch + 1, log, first)
    at = stored.next_offset
    if stored.log != log:
        return Epoch(anew, f"the log is {log or 'unnamed'}, it was {stored.log or 'unnamed'}")
    if end < at:
        return Epoch(anew, f"the log ends at {end}, {at} records of it are accounted for: the broker came back empty")
    if first > at:
        return Epoch(anew, f"records {at} to {first - 1} expired before they were accounted for", expired=True)
    return None
