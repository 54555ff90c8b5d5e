"""Is the log that the broker has the one that the store knows? Pure."""

from dataclasses import dataclass

from sinks.log_ends import Ends
from sinks.store.stored import Position


@dataclass(frozen=True, slots=True)
class Anew:
    """Where an account begins anew, and why. `expired`: it is the same log, which has moved on unread."""

    position: Position
    detail: str
    expired: bool = False


def another_log(stored: Position | None, log: str, ends: Ends) -> Anew | None:
    """Where the account begins anew, and why; None if the stored position can be resumed from.

    `log` is the name that the settings give the log. A broker that came back empty is known by its end, unless it has
    grown past the stored offset meanwhile: that is what the name is for.
    """
    first, end = ends
    if stored is None:
        return Anew(Position(1, log, first), "the first")
    anew = Position(stored.epoch + 1, log, first)
    at = stored.next_offset
    if stored.log != log:
        return Anew(anew, f"the log is {log or 'unnamed'}, it was {stored.log or 'unnamed'}")
    if end < at:
        return Anew(anew, f"the log ends at {end}, {at} records of it are accounted for: the broker came back empty")
    if first > at:
        return Anew(anew, f"records {at} to {first - 1} expired before they were accounted for", expired=True)
    return None
