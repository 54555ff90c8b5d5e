"""Numbers as people read them, by language. Filters of the templates."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_datetime, format_time
from babel.numbers import format_decimal, format_percent

from sinks.board.i18n import text

NOTHING = "–"  # noqa: RUF001  # as tables write it
SEVERITY_NAMES = (text("minor"), text("major"), text("critical"))
UNITS = ((1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB"))


def filters(language: str) -> Mapping[str, Callable[..., Any]]:
    locale = "en_GB" if language == "en" else language

    def percent(share: float | None) -> str:
        return NOTHING if share is None else format_percent(share, "#,##0.0 %", locale=locale)

    def number(value: float | None, pattern: str = "#,##0.##") -> str:
        return NOTHING if value is None else format_decimal(value, pattern, locale=locale)

    def size(value: int | None) -> str:
        if value is None:
            return NOTHING
        for unit, name in UNITS:
            if value >= unit:
                return f"{format_decimal(value / unit, '#,##0.0', locale=locale)} {name}"
        return f"{value} B"

    def wall_time(at: datetime, zone: str) -> str:
        """On the line's own clock, whatever the reader's is."""
        return format_time(at.astimezone(ZoneInfo(zone)), "HH:mm", locale=locale)

    def wall_date_time(at: datetime, zone: str) -> str:
        return format_datetime(at.astimezone(ZoneInfo(zone)), "medium", locale=locale)

    return {
        "percent": percent,
        "number": number,
        "size": size,
        "duration": duration,
        "wall_time": wall_time,
        "wall_date_time": wall_date_time,
        "day": lambda day: format_date(day, "full", locale=locale),
    }


def duration(seconds: float | None) -> str:
    """0:45 h, 12 min, 8 s."""
    if seconds is None:
        return NOTHING
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02} min"
