"""`andon up`: a whole line on this machine."""

import fcntl
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from andon.checks import OFFLINE, findings
from andon.cli import config_option
from andon.clock import SystemClock
from andon.config import load
from andon.errors import ConfigError
from andon.process.log import EventLog
from andon.settings import Settings
from deploy.local.board import MISSING
from deploy.local.interrupt import Interrupt, run
from deploy.local.line import LinePlan, LocalLine, line, scaled_pools
from deploy.local.places import USUAL
from deploy.local.server import HOST, Server
from deploy.local.worker_range import WorkerRange


@click.command()
@config_option()
@click.option(
    "--workers",
    type=WorkerRange(),
    default="1",
    show_default=True,
    help="Worker processes for each pool: a number, or a range such as 1..4 within which it follows the lag.",
)
@click.option(
    "--partitions", type=click.IntRange(1), help="Partitions of topics that it creates: the ceiling of workers."
)
@click.option(
    "--backlog-s", type=float, default=60.0, show_default=True, help="Seconds that Ctrl-C waits for the backlog."
)
@click.option(
    "--dir",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    default="andon-data",
    show_default=True,
    help="For logs and the embedded Redis' file.",
)
@click.option("--board/--no-board", default=True, help="Serve the andon board in a browser.")
def up(
    path: Path,
    *,
    workers: tuple[int, int | None],
    partitions: int | None,
    backlog_s: float,
    folder: Path,
    board: bool,
) -> None:
    """Run a whole line on this machine: servers, cameras, workers, sinks, board.

    It starts a broker and a Redis unless the file names kafka.bootstrap_servers or redis.url. Ctrl-C drains: cameras
    stop, then the captured frames are inspected and accounted for. A second Ctrl-C stops at once.

    \b
    Example:
      andon up -c line.yaml --workers 2
      andon up --workers 1..4     between 1 and 4, as the load asks for
      andon up --workers 0..4     a pool without work sleeps
    """
    settings = load(path)
    if partitions is not None:
        settings = settings.model_copy(update={"kafka": settings.kafka.model_copy(update={"partitions": partitions})})
    _require_startable(path, settings)
    least, most = workers
    _require_partitions(most or least, settings)
    plan = LinePlan(path, settings, folder, least, most, backlog_s, USUAL, board=board)
    with _alone_in(folder):
        sys.exit(run(_up(plan)))


def _require_startable(path: Path, settings: Settings) -> None:
    """Say what `andon config check` says before anything is started, and exit with 2. A camera may come later."""
    faults = findings(settings, OFFLINE, without=frozenset({"cameras"})).faults
    for fault in faults:
        click.echo(f"andon: {path}: {fault}", err=True)
    if faults:
        sys.exit(2)


def _require_partitions(most: int, settings: Settings) -> None:
    partitions = settings.kafka.partitions
    if most > partitions:
        raise ConfigError(
            f"--workers: {most} workers share {partitions} partitions, so {most - partitions} would never have work;"
            f" pass --partitions {most}, or ask for fewer"
        )


async def _up(plan: LinePlan) -> int:
    clock, console = SystemClock(), Console()
    log = EventLog(plan.settings.run.log_level, plan.settings.run.log_format, "up", clock)

    def on_first() -> None:
        console.print("draining; Ctrl-C again stops at once")

    def echo(process: str, text: str) -> None:
        sys.stderr.write(f"{process:>10} | {text}\n")

    with Interrupt(on_first) as interrupt:
        async with log.summed_up(), line(plan, log, clock, echo) as running:
            if await interrupt.before(_start(running)):
                console.print(_table(running, plan))
                if plan.board:
                    where = MISSING if running.board is None else f"The board: {running.board.url}"
                    console.print(where, highlight=False, markup=False)
                console.print(_elsewhere(running), highlight=False)
                running.scale(scaled_pools(plan, running.at), clock)
                await interrupt.before(running.fails())
            return 0 if await running.drain() else 1


async def _start(running: LocalLine) -> None:
    await running.start_inspecting()
    await running.start_capture()


def _table(running: LocalLine, plan: LinePlan) -> Table:
    own, settings = running.at.own, running.at.settings
    named = f"named in {plan.config}"
    table = Table("process", "address", "log", title=f"{settings.line} is up; /metrics, /livez and /readyz of each:")
    table.add_row("broker", settings.kafka.bootstrap_servers, _log_of(own.get("broker")) or named)
    # the address of a Redis that line.yaml names may hold a password
    redis = own.get("redis")
    table.add_row("redis", f"{HOST}:{redis.port}" if redis else "", _log_of(redis) or named)
    groups = running.groups
    for role in (*groups.ingest.roles, *groups.workers.roles, *groups.sinks.roles, *groups.board.roles):
        table.add_row(role.name, role.url, str(role.log))
    return table


def _elsewhere(running: LocalLine) -> str:
    """How other commands find servers whose default ports were taken."""
    usual = {
        "ANDON_KAFKA__BOOTSTRAP_SERVERS": f"{HOST}:{USUAL.broker}",
        "ANDON_REDIS__URL": f"redis://{HOST}:{USUAL.redis}/0",
    }
    moved = {key: value for key, value in running.at.env.items() if key in usual and usual[key] != value}
    if not moved:
        return "In another shell: andon lag | andon audit | andon alerts follow"
    exports = " ".join(f"{key}={value}" for key, value in moved.items())
    return f"The usual ports are taken. In another shell first: export {exports}"


def _log_of(server: Server | None) -> str:
    return f"embedded: {server.log}" if server else ""


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Lock the folder: two lines in one folder would overwrite each other's Redis file."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / ".lock").open("w")
    except OSError as error:
        raise ConfigError(f"--dir {folder}: {error.strerror}") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ConfigError(f"--dir {folder}: another line runs there; choose another folder") from None
        yield
