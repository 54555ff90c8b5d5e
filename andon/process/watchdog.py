"""Ends a process in which a call never returns.

A model, a driver or a dead disk can block a thread for ever, and nothing can stop a thread from outside. So each such
call stands under a time limit: past it `/livez` is red, one line names the call, and the process ends. Its supervisor
starts it again, and the broker delivers uncommitted records again.
"""

import os
import sys
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from types import TracebackType
from typing import NoReturn, Self

from andon.clock import Clock

TimeLimit = Callable[[], AbstractContextManager[object]]
"""Gives a context for one call, as `Watchdog.limit` does."""
NO_LIMIT: TimeLimit = nullcontext
"""For commands, which end when their user has waited enough."""
CHECK_S = 0.25
"""Interval between two looks at the running calls."""
FORCE_S = 3.0
"""How long a cancelled role may take to leave before the process ends without it."""
FLUSH_S = 1.0
"""How long the last lines may take to leave."""
LOOP = "the event loop"


@dataclass(frozen=True, slots=True)
class Overdue:
    """A call that has not returned within its limit."""

    name: str
    limit_s: float
    setting: str
    """The key of line.yaml that sets the limit; empty where none does."""

    def __str__(self) -> str:
        limit = f" ({self.setting})" if self.setting else ""
        return f"{self.name} has not returned for {self.limit_s:g} s{limit}: the process ends and must be started again"


class _Call:
    """One entry of `Watchdog.limit`. Entered and left on the same thread."""

    __slots__ = ("_calls", "_clock", "deadline", "overdue")

    def __init__(self, calls: "set[_Call]", clock: Clock, overdue: Overdue) -> None:
        self._calls = calls
        self._clock = clock
        self.overdue = overdue
        self.deadline = float("inf")

    def __enter__(self) -> Self:
        self.deadline = self._clock.monotonic() + self.overdue.limit_s
        self._calls.add(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._calls.discard(self)


class Watchdog:
    """The running calls that have a time limit, and the last turn of the event loop. Thread-safe."""

    def __init__(self, clock: Clock, loop_timeout_s: float = float("inf")) -> None:
        self._clock = clock
        self._calls: set[_Call] = set()
        self._loop = Overdue(LOOP, loop_timeout_s, "run.loop_timeout_s")
        self._beat = clock.monotonic()

    def limit(self, name: str, limit_s: float, setting: str = "") -> _Call:
        """A context for one blocking call, on any thread; costs about a microsecond.

        `name` is the subject of the line that a user reads ("the model"); `setting` the key that holds `limit_s`.
        """
        return _Call(self._calls, self._clock, Overdue(name, limit_s, setting))

    def beat(self) -> None:
        """The event loop has turned."""
        self._beat = self._clock.monotonic()

    @property
    def silent_s(self) -> float:
        """Seconds since the event loop last turned."""
        return self._clock.monotonic() - self._beat

    @property
    def busy(self) -> bool:
        """Some call has not returned yet."""
        return bool(self._calls)

    def longest(self, least_s: float) -> str:
        """The call that has run for longest, and for how long; empty if none has run for more than `least_s`."""
        now = self._clock.monotonic()
        running = [(now - call.deadline + call.overdue.limit_s, call.overdue.name) for call in self._calls.copy()]
        seconds, name = max(running, default=(0.0, ""))
        return f"{name} has been under way for {seconds:.0f} s" if name and seconds > least_s else ""

    def overdue(self) -> Overdue | None:
        """A call that is past its limit; None if there is none."""
        if self.silent_s > self._loop.limit_s:
            return self._loop
        now = self._clock.monotonic()
        return next((call.overdue for call in self._calls.copy() if now > call.deadline), None)


class Guard:
    """A daemon thread that ends the process: for a call that hangs, and at a deadline that nothing else has met."""

    def __init__(self, watchdog: Watchdog, clock: Clock, hung: Callable[[Overdue], None]) -> None:
        """`hung` is called once, on a thread of its own, `FORCE_S` before the process ends. It may block."""
        self._watchdog = watchdog
        self._clock = clock
        self._hung = hung
        self._deadline = float("inf")
        self._off = threading.Event()

    def start(self) -> None:
        self._watchdog.beat()
        threading.Thread(target=self._watch, name="guard", daemon=True).start()

    def stop(self) -> None:
        """Look no more, unless the process must end by a deadline: that stands."""
        if self._deadline == float("inf"):
            self._off.set()

    def end_within(self, seconds: float) -> None:
        """End the process within `seconds`, whatever still runs. A later call can only shorten the time."""
        self._deadline = min(self._deadline, self._clock.monotonic() + seconds)

    def _watch(self) -> None:
        reported = False
        while not self._off.wait(CHECK_S):
            if self._clock.monotonic() > self._deadline:
                end(1)
            if not reported and (overdue := self._watchdog.overdue()) is not None:
                reported = True
                self.end_within(FORCE_S)
                # stderr may be a pipe that nobody reads: the write then blocks, and the deadline must stand
                threading.Thread(target=self._hung, args=(overdue,), name="guard.report", daemon=True).start()


def end(code: int) -> NoReturn:
    """End the process without joining its threads, `FLUSH_S` later at most if nobody reads its output."""
    flushing = threading.Thread(target=_flush, name="guard.flush", daemon=True)
    flushing.start()
    flushing.join(FLUSH_S)
    os._exit(code)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
