"""How every role lives: signals, readiness, drain deadline, /livez /readyz /metrics.

A role is one coroutine that runs until `life.stop` is set, then finishes what it holds and returns. A first SIGTERM or
SIGINT sets `stop`; when the drain deadline passes, or at a second signal, the role is cancelled. `FORCE_S` later the
process ends, whatever its threads still do. A call that hangs ends it in the same way (see `watchdog`).
"""

import asyncio
import gc
import signal
import sys
import traceback
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvloop
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector

from andon import __version__
from andon.clock import Clock, SystemClock
from andon.errors import AndonError, ConfigError, described
from andon.events import CallbackFailed, Emit, ProcessReady, ProcessStarted, ProcessStopped, ProcessStopping, fan_out
from andon.process.health import Health, HealthServer
from andon.process.log import MOST_CHARACTERS, EventLog, adopt_client_logs
from andon.process.metrics import Metrics
from andon.process.progress import CHECK_S, Progress
from andon.process.tasks import first_andon_error
from andon.process.tracing import Tracing
from andon.process.watchdog import FORCE_S, Guard, Overdue, Watchdog, end
from andon.settings import Settings

BEAT_S = 0.5


@dataclass(slots=True, eq=False)
class Life:
    """Everything that a role gets from its process: settings, clock, events, metrics, health and the signal to stop."""

    role: str
    settings: Settings
    clock: Clock
    emit: Emit
    metrics: Metrics
    health: Health
    watchdog: Watchdog
    """Wrap each call in its `limit` that can block a thread for ever. Never join such a thread."""
    progress: Progress
    """Give it a `duty` for each kind of work that must get done."""
    tracing: Tracing | None = None
    """None: nothing is traced here."""
    stop: asyncio.Event = field(default_factory=asyncio.Event)

    def ready(self) -> None:
        """Report that this process does its work now: /readyz turns green."""
        if not self.health.ready:
            self.health.ready = True
            # startup objects live on: scanning them in each full collection would delay a frame by 15 to 130 ms
            gc.collect()
            gc.freeze()
            self.emit(ProcessReady(self.role))


Role = Callable[[Life], Awaitable[None]]


def run(name: str, role: Role, settings: Settings) -> int:
    """Run `role` until a signal stops it. Returns the exit code: 0 drained, 1 failed, 2 a mistake in the settings."""
    clock = SystemClock()
    watchdog = Watchdog(clock, settings.run.loop_timeout_s)
    code = _run(name, role, settings, watchdog)
    if watchdog.busy:  # the interpreter would wait for that thread
        end(code)
    return code


def _run(name: str, role: Role, settings: Settings, watchdog: Watchdog) -> int:
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:  # half of asyncio's own cost
            return runner.run(_live(name, role, settings, watchdog))
    except BaseExceptionGroup as group:
        error = first_andon_error(group)
        return _say(name, error) if error is not None else _show(group)
    except AndonError as error:
        return _say(name, error)
    except KeyboardInterrupt:
        return 130
    except Exception as error:  # nobody foresaw it
        return _show(error)


async def _live(name: str, role: Role, settings: Settings, watchdog: Watchdog) -> int:
    clock = SystemClock()
    registry = CollectorRegistry()
    for collector in (ProcessCollector, PlatformCollector, GCCollector):
        collector(registry=registry)
    metrics = Metrics(registry)
    metrics.watch("andon_process_info", lambda: [((name, __version__), 1.0)])
    log = EventLog(settings.run.log_level, settings.run.log_format, name, clock)
    progress = Progress(clock, watchdog, settings.run.stalled_s)
    emit = fan_out(log, metrics, progress.complaints)
    life = Life(name, settings, clock, emit, metrics, Health(watchdog, progress), watchdog, progress)
    undo = adopt_client_logs(emit)
    _report_failed_callbacks(emit)
    with HealthServer(settings.http, life.health, registry) as server:
        emit(ProcessStarted(name, __version__, f"{settings.http.host}:{server.port}"))
        beat = asyncio.create_task(_beat(watchdog), name="lifecycle.beat")
        try:
            async with log.summed_up():
                with _traced(life):
                    return await _until_stopped(life, role, log)
        finally:
            beat.cancel()
            undo()


@contextmanager
def _traced(life: Life) -> Iterator[None]:
    """Within the block `life.tracing` is there, if the settings ask for it. Raises ConfigError: it can't be had."""
    settings = life.settings.tracing
    if settings.endpoint is None:
        yield
        return
    try:
        from andon.process.trace_export import exported  # noqa: PLC0415  # an extra, loaded where it is asked for
    except ImportError as error:
        raise ConfigError(f"tracing.endpoint: {error.name} is missing here: pip install 'andon[traces]'") from None
    with exported(settings, life.role, life.emit) as spans:
        life.tracing = Tracing(spans, life.clock)
        yield


async def _until_stopped(life: Life, role: Role, log: EventLog) -> int:
    task = asyncio.ensure_future(role(life))
    loop = asyncio.get_running_loop()

    def hung(overdue: Overdue) -> None:
        log.flush()
        sys.stderr.write(f"andon {life.role}: {overdue}\n")
        loop.call_soon_threadsafe(task.cancel)

    guard = Guard(life.watchdog, life.clock, hung)
    guard.start()
    looking = asyncio.create_task(_look_after(life), name="lifecycle.progress")
    looking.add_done_callback(lambda done: None if done.cancelled() else task.cancel())  # it failed
    with _Signals(life, task, guard):
        await asyncio.wait({task})
    guard.stop()
    if not looking.cancel():
        looking.result()
    drained = not task.cancelled()
    life.emit(ProcessStopped(life.role, drained))
    if task.cancelled():
        return 1
    task.result()
    return 0


class _Signals:
    """The first signal asks the role to stop. The drain deadline or a second signal cancels it."""

    def __init__(self, life: Life, task: asyncio.Future[None], guard: Guard) -> None:
        self._life = life
        self._task = task
        self._guard = guard
        self._loop = asyncio.get_running_loop()
        self._deadline: asyncio.TimerHandle | None = None

    def __enter__(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.add_signal_handler(number, self._on, number)

    def __exit__(self, *exc: object) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            self._loop.remove_signal_handler(number)
        if self._deadline is not None:
            self._deadline.cancel()

    def _on(self, number: signal.Signals) -> None:
        if self._life.stop.is_set():
            self._task.cancel()
            self._guard.end_within(FORCE_S)
            return
        drain_s = self._life.settings.run.drain_s
        self._guard.end_within(drain_s + FORCE_S)
        self._life.emit(ProcessStopping(self._life.role, number.name, drain_s))
        self._life.stop.set()
        self._deadline = self._loop.call_later(drain_s, self._task.cancel)


def _report_failed_callbacks(emit: Emit) -> None:
    """One short line for an error in a callback of the event loop: its default has the callback's whole arguments, and
    those may be pictures."""

    def report(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        emit(CallbackFailed(str(context["message"])[:60] if error is None else described(error)))

    asyncio.get_running_loop().set_exception_handler(report)


async def _beat(watchdog: Watchdog) -> None:
    while True:
        watchdog.beat()
        await asyncio.sleep(BEAT_S)


def _show(error: BaseException) -> int:
    """Print the traceback, each line cut off: some errors quote the whole input, which may be a picture."""
    for line in "".join(traceback.format_exception(error)).splitlines():
        sys.stderr.write(f"{line[:MOST_CHARACTERS]}\n")
    return 1


async def _look_after(life: Life) -> None:
    """Report work that stands still, and that it moves again."""
    while True:
        await asyncio.sleep(CHECK_S)
        for event in life.progress.check():
            life.emit(event)


def _say(name: str, error: AndonError) -> int:
    sys.stderr.write(f"andon {name}: {error}\n")
    return 2 if isinstance(error, ConfigError) else 1
