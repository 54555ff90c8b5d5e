"""Logs are events: `frame.shed camera=press-3 reason=stale count=12`, on stderr. What repeats is summed up."""

import logging
import sys
from collections.abc import Callable
from dataclasses import fields
from typing import Any, Literal

import structlog

from andon.clock import Clock
from andon.events import Emit, Event, KafkaNoise

_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}
SUM_UP_S = 1.0


class EventLog:
    """A subscriber of `events` that writes one line each; of those that repeat, one line a second for each kind."""

    def __init__(self, level: str, form: Literal["logfmt", "json"], role: str, clock: Clock) -> None:
        self._level = _LEVELS[level]
        self._log = _logger(form).bind(role=role)
        self._clock = clock
        self._last: dict[tuple[str, str], float] = {}
        self._held: dict[tuple[str, str], int] = {}

    def __call__(self, event: Event) -> None:
        if _LEVELS[event.level] < self._level:
            return
        values = {field.name: getattr(event, field.name) for field in fields(event)}
        repeats = self._repeats(event, values)
        if repeats is None:
            return
        if repeats:
            values["repeated"] = repeats
        write = getattr(self._log, event.level)
        write(event.name, **{key: _short(value) for key, value in values.items()})

    def _repeats(self, event: Event, values: dict[str, Any]) -> int | None:
        """How many like this one went unsaid since the last; None: leave this one unsaid, too."""
        if event.level in ("debug", "info"):
            return 0
        key = (event.name, str(values.get("camera") or values.get("what") or values.get("sink") or ""))
        now = self._clock.monotonic()
        if now - self._last.get(key, -SUM_UP_S) < SUM_UP_S:
            self._held[key] = self._held.get(key, 0) + 1
            return None
        self._last[key] = now
        return self._held.pop(key, 0)


class _ClientLog(logging.Handler):
    """aiokafka writes two lines for each attempt while a broker is away: one a second is enough."""

    def __init__(self, emit: Emit, clock: Clock) -> None:
        super().__init__(level=logging.WARNING)
        self._tell = emit
        self._clock = clock
        self._last = -SUM_UP_S
        self._count = 0

    def emit(self, record: logging.LogRecord) -> None:
        self._count += 1
        now = self._clock.monotonic()
        if now - self._last >= SUM_UP_S:
            self._tell(KafkaNoise(record.getMessage().splitlines()[0][:200], self._count))
            self._last, self._count = now, 0


def adopt_client_logs(emit: Emit, clock: Clock) -> Callable[[], None]:
    """Turn the Kafka client's log lines into events. Returns the function that undoes it."""
    logger = logging.getLogger("aiokafka")
    handler = _ClientLog(emit, clock)
    logger.addHandler(handler)
    logger.propagate = False
    return lambda: logger.removeHandler(handler)


def _logger(form: Literal["logfmt", "json"]) -> Any:
    renderer = (
        structlog.processors.JSONRenderer()
        if form == "json"
        else structlog.processors.LogfmtRenderer(key_order=["timestamp", "level", "event", "role"])
    )
    return structlog.wrap_logger(
        structlog.WriteLogger(sys.stderr),
        processors=[structlog.processors.add_log_level, structlog.processors.TimeStamper(fmt="iso"), renderer],
        wrapper_class=structlog.BoundLogger,
    )


def _short(value: Any) -> Any:
    return round(value, 4) if isinstance(value, float) else value
