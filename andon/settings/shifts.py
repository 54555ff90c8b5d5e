"""The shifts of a line, for the board's counts and for `andon report`."""

from datetime import time
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, BeforeValidator, Field

from andon.settings.section import Section

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
ShiftName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,39}$")]


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (OSError, ValueError):  # ZoneInfoNotFoundError is a KeyError
        pass
    except KeyError:
        pass
    else:
        return name
    raise ValueError(f"{name!r} is no time zone that this machine knows; expected a name such as Europe/Berlin or UTC")


def _as_text(value: object) -> object:
    """YAML reads 06:00 without quotes as 360."""
    if isinstance(value, int) and not isinstance(value, bool):
        raise ValueError("write it in quotes, as '06:00'")
    return value


def _on_a_quarter(at: time) -> time:
    if at.tzinfo is not None or at.minute % 15 or at.second or at.microsecond:
        raise ValueError("a shift begins and ends on a quarter of an hour, such as '06:00' or '13:45'")
    return at


TimeZone = Annotated[str, AfterValidator(_known_zone)]
QuarterTime = Annotated[time, BeforeValidator(_as_text), AfterValidator(_on_a_quarter)]


class ShiftSettings(Section):
    start: QuarterTime
    """By the clock on the wall, in `board.time_zone`. On a quarter of an hour: sums are kept for each of them."""
    end: QuarterTime
    """At or before `start`: on the next day."""
    days: tuple[Day, ...] = Field(default=DAYS, min_length=1)
    """The days on which it begins."""


DEFAULT_SHIFTS = {"day": ShiftSettings(start=time(0), end=time(0))}
"""One shift from midnight to midnight."""
