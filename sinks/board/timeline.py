"""A camera's last day as a timeline: spans without frames as bars. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sinks.judgement.spans import Span

HOURS = 24
WIDTH = 1440.0
"""Of the drawing: a unit is a minute."""
LEAST = 2.0
"""Width of the shortest bar: two minutes can be seen and pointed at."""


@dataclass(frozen=True, slots=True)
class Bar:
    x: float
    width: float
    span: Span


@dataclass(frozen=True, slots=True)
class Timeline:
    start: datetime
    end: datetime
    bars: Sequence[Bar]
    hours: Sequence[tuple[float, datetime]]
    """Full hours, with their places."""


def timeline(spans: Iterable[Span], now: datetime) -> Timeline:
    """The day that ends at `now`."""
    start = now - timedelta(hours=HOURS)
    first = start.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    hours = [first + timedelta(hours=number) for number in range(HOURS)]
    bars = [_bar(span, start, now) for span in spans if (span.ended_at or now) > start and span.started_at < now]
    return Timeline(start, now, bars, [(_place(hour, start), hour) for hour in hours if hour < now])


def _bar(span: Span, start: datetime, now: datetime) -> Bar:
    left = _place(max(span.started_at, start), start)
    width = max(LEAST, _place(min(span.ended_at or now, now), start) - left)
    return Bar(min(left, WIDTH - width), width, span)


def _place(at: datetime, start: datetime) -> float:
    return round((at - start).total_seconds() / 60, 2)
