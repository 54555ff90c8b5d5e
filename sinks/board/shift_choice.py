"""Which shift a page, a request or a command means, and the report on it."""

from datetime import date, datetime

from sqlalchemy import Connection

from andon.errors import ConfigError
from andon.settings import DefectClass, Settings
from sinks.board.models.shift import ShiftReport
from sinks.board.shift_report import ReportRules, read_facts, report_of
from sinks.board.shifts import Shift, ShiftPlan
from sinks.judgement.rhythm import SilenceRule

CURRENT, LAST = "current", "last"


class NoSuchShiftError(ConfigError):
    """There is no such shift; the text says which ones there are."""


def chosen(plan: ShiftPlan, now: datetime, name: str, day: date | None) -> Shift:
    """The shift that `name` means: `current` (else the last one), `last`, or one of the plan, on `day` or newest.

    Raises NoSuchShiftError.
    """
    if day is not None:
        try:
            return _on(plan, name, day)
        except OverflowError:
            raise NoSuchShiftError(f"{day} is at the end of the calendar") from None
    if name == CURRENT:
        shift = plan.current(now) or plan.last(now)
    elif name == LAST:
        shift = plan.last(now)
    else:
        running = plan.current(now)
        shift = running if running and running.name == name else plan.last(now, name)
    if shift is None:
        raise NoSuchShiftError(_unknown(plan, name))
    return shift


def _on(plan: ShiftPlan, name: str, day: date) -> Shift:
    shifts = plan.of_day(day)
    found = shifts[-1:] if name in (CURRENT, LAST) else [shift for shift in shifts if shift.name == name]
    if not found:
        raise NoSuchShiftError(_unknown(plan, name, day))
    return found[0]


def _unknown(plan: ShiftPlan, name: str, day: date | None = None) -> str:
    known = ", ".join(plan.shifts)
    if name in plan.shifts and day is not None:
        return f"the shift {name} does not begin on {day:%A, %Y-%m-%d} (board.shifts.{name}.days)"
    return f"there is no shift {name!r}; the shifts are: {known} (board.shifts)"


def rules_of(settings: Settings) -> ReportRules:
    classes, nameless = settings.defects.classes, DefectClass()
    own = settings.own_silence_s
    return ReportRules(
        line=settings.line,
        time_zone=settings.board.time_zone,
        severity=lambda label: classes.get(label, nameless).severity,
        silence=lambda camera: SilenceRule(settings.sinks.silence_s, own.get(camera)),
        target_yield=settings.board.target.yield_percent / 100,
    )


def shift_report(
    connection: Connection, settings: Settings, shift: Shift, now: datetime, camera: str | None = None
) -> ShiftReport:
    """Reads and computes."""
    until = max(shift.start, min(shift.end, now))
    facts = read_facts(connection, shift.start, until, camera)
    return report_of(facts, shift, now, rules_of(settings), camera)
