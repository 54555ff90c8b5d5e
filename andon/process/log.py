"""The log: one line for each event on stderr, `frame.shed camera=press-3 reason=stale count=12`.

Warnings and errors that repeat are merged: at most one line a second for each kind and place (see `summary`).
"""

import asyncio
import logging
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any, Literal

import structlog

from andon.clock import Clock
from andon.events import Emit, Event, KafkaNoise
from andon.process.summary import WINDOW_S, LogLine, Summary, values_of

FLUSH_S = 1.0
"""How long the last lines wait for a thread that is writing."""
MOST_CHARACTERS = 1000
"""Of one value in a line: some errors quote the whole input, which may be a picture."""
_LEVELS = {"debug": 10, "info": 20, "warning": 30, "error": 40}


class EventLog:
    """A subscriber of events that writes them. Thread-safe."""

    def __init__(self, level: str, form: Literal["logfmt", "json"], role: str, clock: Clock) -> None:
        self._level = _LEVELS[level]
        self._log = _logger(form).bind(role=role)
        self._clock = clock
        self._summary = Summary()
        self._lock = threading.Lock()

    def __call__(self, event: Event) -> None:
        if _LEVELS[event.level] < self._level:
            return
        with self._lock:
            if event.level in ("debug", "info"):
                self._write([LogLine(type(event), values_of(event))])
            else:
                self._write(self._summary.add(event, self._clock.monotonic()))

    @asynccontextmanager
    async def summed_up(self) -> AsyncIterator[None]:
        """Within the block each held event is written within a second, and all of them at its end."""
        task = asyncio.create_task(self._sum_up_forever(), name="log.summary")
        try:
            yield
        finally:
            task.cancel()
            self.flush()

    def sum_up(self) -> None:
        """Write the lines for held events whose second is over."""
        with self._lock:
            self._write(self._summary.due(self._clock.monotonic()))

    def flush(self) -> None:
        """Write the lines for all held events, unless another thread hangs in writing: the end must not wait for it."""
        if not self._lock.acquire(timeout=FLUSH_S):
            return
        try:
            self._write(self._summary.rest())
        finally:
            self._lock.release()

    async def _sum_up_forever(self) -> None:
        while True:
            await asyncio.sleep(WINDOW_S / 2)
            self.sum_up()

    def _write(self, lines: Iterable[LogLine]) -> None:
        for line in lines:
            write = getattr(self._log, line.event.level)
            write(line.event.name, **{key: _short(value) for key, value in line.values.items()})


class _ClientLog(logging.Handler):
    """Turns the client's lines into events: aiokafka writes two for each attempt while a broker is away."""

    def __init__(self, emit: Emit) -> None:
        super().__init__(level=logging.WARNING)
        self._tell = emit

    def emit(self, record: logging.LogRecord) -> None:
        self._tell(KafkaNoise(_first_line(record.getMessage())[:200], 1))


def adopt_client_logs(emit: Emit) -> Callable[[], None]:
    """Turn the Kafka client's log lines into events. Returns the function that undoes it."""
    logger = logging.getLogger("aiokafka")
    handler = _ClientLog(emit)
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


def _first_line(text: str) -> str:
    return next(iter(text.splitlines()), "")


def _short(value: Any) -> Any:
    if isinstance(value, str) and len(value) > MOST_CHARACTERS:
        return f"{value[:MOST_CHARACTERS]}... ({len(value)} characters)"
    return round(value, 4) if isinstance(value, float) else value
