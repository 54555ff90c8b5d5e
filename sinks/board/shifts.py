"""Shifts in time: which one runs now, which one ran last. Pure.

A shift's start and end are times on the wall's clock. So a night shift is an hour longer or shorter when the clock is
set, and its moments are computed in the line's time zone, never by adding hours.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from andon.settings import DAYS, BoardSettings, ShiftSettings

LOOK_BACK = 8
"""Days: each shift begins at least once in a week."""


@dataclass(frozen=True, slots=True)
class Shift:
    """One shift of one day."""

    name: str
    day: date
    """The day on which it begins."""
    start: datetime
    """UTC, as `end`."""
    end: datetime


@dataclass(frozen=True, slots=True)
class ShiftPlan:
    """The shifts of a line, and the time zone of its clock."""

    shifts: Mapping[str, ShiftSettings]
    zone: ZoneInfo

    @classmethod
    def of(cls, settings: BoardSettings) -> "ShiftPlan":
        return cls(settings.shifts, ZoneInfo(settings.time_zone))

    def current(self, now: datetime) -> Shift | None:
        """The shift that runs; where two overlap, the one that began last. None: none does."""
        running = [shift for shift in self._around(now) if shift.start <= now < shift.end]
        return max(running, key=lambda shift: shift.start, default=None)

    def last(self, now: datetime, name: str | None = None) -> Shift | None:
        """The newest shift that is over, of this name where one is given."""
        over = [shift for shift in self._around(now) if shift.end <= now and name in (None, shift.name)]
        return max(over, key=lambda shift: (shift.end, shift.start), default=None)

    def on(self, day: date, name: str) -> Shift | None:
        """The shift of this name that begins on this day. None: there is none on that day."""
        settings = self.shifts.get(name)
        if settings is None or DAYS[day.weekday()] not in settings.days:
            return None
        after = timedelta(days=1 if settings.end <= settings.start else 0)
        return Shift(name, day, self._moment(day, settings.start), self._moment(day + after, settings.end))

    def of_day(self, day: date) -> list[Shift]:
        """All shifts that begin on this day, in order."""
        shifts = [self.on(day, name) for name in self.shifts]
        return sorted((shift for shift in shifts if shift is not None), key=lambda shift: shift.start)

    def today(self, now: datetime) -> date:
        return now.astimezone(self.zone).date()

    def _around(self, now: datetime) -> Iterator[Shift]:
        today = self.today(now)
        for back in range(-1, LOOK_BACK + 1):
            yield from self.of_day(today - timedelta(days=back))

    def _moment(self, day: date, at: time) -> datetime:
        """A time that the clock leaves out in spring is the moment at which it is set; of two in autumn, the first."""
        return datetime.combine(day, at, self.zone).astimezone(UTC)
