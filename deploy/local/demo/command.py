"""`andon demo`: a synthetic line, inspected by the same processes as a real one, and scored against its truth."""

import asyncio
import json
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import click
from rich.console import Console

from andon.clock import Clock, SystemClock
from andon.config import load
from andon.errors import ConfigError, FatalError
from andon.events import Event, silent
from deploy.local.audit import audit
from deploy.local.board import MISSING
from deploy.local.demo import line_yaml, watch
from deploy.local.demo.report import Report, report, show
from deploy.local.demo.table import LiveTable
from deploy.local.demo.table import show as keep_showing
from deploy.local.folders import fresh_folder
from deploy.local.interrupt import FORCED, Interrupt, alongside, run
from deploy.local.line import Lag, LinePlan, LocalLine, line
from deploy.local.server import free_port
from sample_streams import calibration
from sample_streams.observer import Observer
from sample_streams.score import score

FIRST_FRAME_S = 60.0
PAGES = {
    "/": "the line's state, its parts, a tile for each camera",
    "/alarms": "what somebody must acknowledge",
    "/evidence": "each defect with its picture",
    "/cameras": "a camera, live, with its boxes",
    "/shift": "yield and rejects of the shift",
}
BACKLOG_S = 120.0
"""On a machine that is too slow or too busy for four cameras, the drain works off the backlog, at least this long."""


@dataclass(frozen=True, slots=True)
class Demo:
    plan: LinePlan
    port: int
    """The RTSP server's."""
    seconds: float
    observer: Observer
    clock: Clock
    console: Console
    keep: bool
    """Go on after `seconds`, until Ctrl-C."""


@click.command()
@click.option("--seconds", type=click.FloatRange(1), default=60.0, show_default=True, help="Duration.")
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help="Worker processes.")
@click.option("--json", "json_file", type=click.Path(path_type=Path, dir_okay=False), help="Write the result there.")
@click.option("--dir", "folder", type=click.Path(path_type=Path, file_okay=False), help="A new folder to run in.")
@click.option("--keep", is_flag=True, help="Leave the line and its board running until Ctrl-C.")
def demo(seconds: float, workers: int, json_file: Path | None, folder: Path | None, keep: bool) -> None:
    """Run a synthetic line with four live cameras, then account for every frame and every defect.

    Everything runs on this machine: RTSP cameras, broker, Redis, ingest, workers, sinks, the board in a browser, an
    alert consumer. The first start exports the model for this machine, which takes a minute. Exits 1 if the account
    does not balance, if nothing was inspected, or if no true defect was found.

    \b
    Example:
      andon demo --seconds 30 --json out.json
      andon demo --keep               look at the board for as long as you like
    """
    demo = _prepared(fresh_folder(folder, "demo"), seconds, workers, keep=keep)
    sys.exit(run(_demo(demo, json_file)))


def _prepared(folder: Path, seconds: float, workers: int, *, keep: bool = False) -> Demo:
    port = free_port()
    config = folder / "line.yaml"
    line_yaml.write(line_yaml.document(folder, port), config)
    settings = load(config)
    with suppress(OSError):  # the worker says what it lacks, and serves the model as its runtime chooses
        calibration.write(Path(settings.pools["default"].model.cache).expanduser())
    observer = Observer([camera.id for camera in settings.cameras], settings.parts.label if settings.parts else "")
    plan = LinePlan(config, settings, folder, workers, backlog_s=max(BACKLOG_S, 2 * seconds), board=True)
    return Demo(plan, port, seconds, observer, SystemClock(), Console(), keep)


async def _demo(demo: Demo, json_file: Path | None) -> int:
    with Interrupt(lambda: demo.console.print("draining; Ctrl-C again stops at once")) as interrupt:
        result = await _perform(demo, interrupt)
    if result is None:
        return FORCED
    show(result, demo.plan.folder, demo.console)
    if json_file:
        _save(result, json_file)
    return 1 if result.failures else 0


def _save(result: Report, path: Path) -> None:
    try:
        path.write_text(json.dumps(result.as_json(), indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"--json {path}: {error.strerror}") from None


async def _perform(demo: Demo, interrupt: Interrupt) -> Report | None:
    """None: a signal stopped it before the first result."""
    console, plan = demo.console, demo.plan
    async with line(plan, partial(_tell, console), demo.clock) as running:
        line_yaml.write(line_yaml.with_addresses(line_yaml.document(plan.folder, demo.port), running.at), plan.config)
        _invite(console, running)
        console.print(f"four cameras, in {plan.folder}", highlight=False, soft_wrap=True)
        console.print("starting; the first time the model is exported and measured on this machine: a minute or two")
        if not await interrupt.before(running.start_inspecting()):
            return None
        await _watched(demo, running, interrupt)
        return await _result(demo)


def _invite(console: Console, running: LocalLine) -> None:
    """The board's address first of all, and what to look at."""
    if running.board is None:
        console.print(MISSING, highlight=False, markup=False)
        return
    console.print(f"The board: {running.board.url}", style="bold", highlight=False, markup=False)
    console.print(
        "  its first page shows the line's state and each camera; /alarms what to acknowledge;", highlight=False
    )
    console.print("  /evidence each defect with its picture; /cameras/CAMERA a camera, live", highlight=False)


def _tell(console: Console, event: Event) -> None:
    if event.level in ("warning", "error"):
        words = " ".join(f"{key}={value}" for key, value in asdict(event).items())
        console.print(f"{event.name} {words}", highlight=False, markup=False)


async def _watched(demo: Demo, running: LocalLine, interrupt: Interrupt) -> None:
    """Start the cameras, observe, stop them, drain; the observer goes on until the last alert has come."""
    settings, observer = running.at.settings, demo.observer
    lag = Lag(running.groups.workers)
    showing = keep_showing(LiveTable(observer, lambda: lag.records), demo.console)
    watching = (watch.inspections(settings, observer, silent), watch.alerts(settings, observer, demo.clock))
    with line_yaml.cameras(demo.port, demo.plan.folder / "logs" / "cameras.log"):
        async with alongside(*watching):
            async with alongside(showing, lag.keep(), running.fails()):
                await running.start_capture()
                await interrupt.before(_until_over(demo))
                await running.drain()
                await lag.read()
            await watch.until_quiet(lambda: observer.inspected + len(observer.alerts))


async def _until_over(demo: Demo) -> None:
    """Return `seconds` after the first inspection: the time of connecting does not count. With `keep`: never."""
    try:
        async with asyncio.timeout(FIRST_FRAME_S):
            await watch.first_frame(demo.observer)
    except TimeoutError:
        logs = demo.plan.folder / "logs"
        raise FatalError(f"no frame was inspected within {FIRST_FRAME_S:.0f} s: see {logs}") from None
    await asyncio.sleep(demo.seconds)
    if demo.keep:
        demo.console.print("the time is over, and the line goes on: Ctrl-C drains it and shows the result")
        await asyncio.Event().wait()


async def _result(demo: Demo) -> Report:
    observer = demo.observer
    found = score(line_yaml.truths(), observer.sessions, observer.raised)
    return report(await audit(demo.plan.config), observer, found, demo.plan.folder / "evidence")
