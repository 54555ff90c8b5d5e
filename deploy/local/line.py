"""A whole line on one machine: its processes, and the order in which they start and stop."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from andon.clock import Clock
from andon.errors import FatalError
from andon.events import Emit
from andon.settings import KafkaSettings, ScalingSettings, Settings
from andon.stream.lag import group_lag
from andon.stream.topics import ensure_topics
from deploy.local.board import BoardAddress, board_address, installed
from deploy.local.places import ANY, Places, Ports, log_limits, places
from deploy.local.role_process import Echo, Role, RoleProcess
from deploy.local.scaled_pool import ScaledPool, keep_scaled
from deploy.local.server import HOST, free_port
from deploy.local.supervisor import READY_S, RoleGroup, Supervisor, Timeouts
from deploy.scaling import Reading, ScalingRule

WATCH_S = 1.0
LAG_S = 2.0
STOP_MARGIN_S = 5.0


@dataclass(frozen=True, slots=True)
class LinePlan:
    """`settings` is the content of the file `config`; `folder` holds the logs and Redis' file."""

    config: Path
    settings: Settings
    folder: Path
    workers: int = 1
    """For each pool; with `most_workers`, the least."""
    most_workers: int | None = None
    """The number of workers follows each pool's lag up to here. None: it is fixed."""
    backlog_s: float = 60.0
    ports: Ports = ANY
    own_log: bool = False
    """No other line uses the broker that line.yaml names, so this line works off its backlog before it stops."""
    board: bool = False
    """Serve the board, where it is installed."""


@dataclass(frozen=True, slots=True)
class RoleGroups:
    ingest: RoleGroup
    workers: RoleGroup
    sinks: RoleGroup
    board: RoleGroup
    """Without roles where the line has no board."""


class LocalLine:
    """Starts against the direction of the frames and stops with it: no frame waits for a role that is not there."""

    def __init__(
        self, groups: RoleGroups, at: Places, supervisor: Supervisor, emit: Emit, board: BoardAddress | None = None
    ) -> None:
        self.groups = groups
        self.at = at
        self.board = board
        self._supervisor = supervisor
        self._emit = emit
        self._scaling: list[asyncio.Task[None]] = []

    def scale(self, pools: Iterable[ScaledPool], clock: Clock) -> None:
        """From now until the drain, let the workers of these pools follow their lag."""
        for pool in pools:
            scaling = keep_scaled(pool, self._supervisor, clock, self._emit)
            self._scaling.append(asyncio.create_task(scaling, name=f"scale.{pool.name}"))

    async def start_inspecting(self) -> None:
        """Create topics, start board, sinks and workers; return when sinks and workers are ready, with warm models.

        Raises FatalError.
        """
        await ensure_topics(self.at.settings, self._emit)
        await self._supervisor.start(self.groups.board, wait=False)
        async with asyncio.TaskGroup() as group:
            for roles in (self.groups.sinks, self.groups.workers):
                group.create_task(self._supervisor.start(roles), name=f"start.{roles.name}")

    async def start_capture(self) -> None:
        """Start ingest; return when it runs, whether or not every camera answers."""
        await self._supervisor.start(self.groups.ingest)

    async def fails(self) -> None:
        """Never returns. Raises FatalError when an embedded server has ended: its memory is lost."""
        while True:
            for task in self._scaling:
                if task.done():
                    task.result()
            for name, server in self.at.own.items():
                if server.returncode is not None:
                    raise FatalError(f"the embedded {name} ended with {server.returncode}: {server.last_words}")
            await asyncio.sleep(WATCH_S)

    def process(self, name: str) -> RoleProcess:
        """The process of the role with this name. Raises KeyError if it was never started."""
        return {process.role.name: process for process in self._supervisor.processes}[name]

    async def drain(self) -> bool:
        """Stop ingest, workers, sinks, board. Whether no record was left."""
        try:  # the workers follow their lag until they have worked it off
            groups = self.groups
            return await self._supervisor.drain([groups.ingest, groups.workers, groups.sinks, groups.board])
        finally:
            for task in self._scaling:
                task.cancel()
            await asyncio.gather(*self._scaling, return_exceptions=True)


class Lag:
    """The lag of a group of roles, read every LAG_S because each reading opens connections."""

    def __init__(self, group: RoleGroup) -> None:
        self._group = group
        self.records: int | None = None
        """None: unknown."""

    async def keep(self) -> None:
        """Read until cancelled."""
        while True:
            await self.read()
            await asyncio.sleep(LAG_S)

    async def read(self) -> None:
        if self._group.behind is not None:
            self.records = await self._group.behind()


@asynccontextmanager
async def line(plan: LinePlan, emit: Emit, clock: Clock, echo: Echo | None = None) -> AsyncIterator[LocalLine]:
    """A line whose servers run, without roles yet. At the end the roles are killed, then the servers stop."""
    settings = plan.settings
    ready_s = READY_S + settings.worker.tune_timeout_s
    timeouts = Timeouts(ready_s, plan.backlog_s, settings.run.drain_s + STOP_MARGIN_S)
    with places(plan.settings, plan.folder, plan.ports) as at:
        async with Supervisor(emit, clock, timeouts, echo) as supervisor:
            board = board_address(at.settings) if plan.board and installed() else None
            yield LocalLine(role_groups(plan, at, board), at, supervisor, emit, board)


def role_groups(plan: LinePlan, at: Places, board: BoardAddress | None = None) -> RoleGroups:
    settings, kafka = at.settings, at.settings.kafka
    pools = {settings.worker_group(pool): settings.pool_topic(pool) for pool in settings.pools}
    # on its own broker the line must work off everything; a shared one keeps its records, and others go on producing
    own_log = plan.own_log or at.own_broker
    workers_lag = _lag(kafka, pools) if own_log else None
    sinks_lag = _lag(kafka, {settings.sink_group: kafka.inspections_topic}) if own_log else None
    workers = [_worker(plan, at, pool, number) for pool in settings.pools for number in range(1, plan.workers + 1)]
    ingest = _role(plan, at, "ingest", "ingest", *(["--alone"] if at.own_broker else []))
    sinks = _role(plan, at, "sinks", "sink")
    watched_roles = (ingest, *workers, sinks)
    return RoleGroups(
        ingest=RoleGroup("ingest", (ingest,)),
        workers=RoleGroup("workers", tuple(workers), workers_lag),
        sinks=RoleGroup("sinks", (sinks,), sinks_lag),
        board=RoleGroup("board", () if board is None else (_board(plan, at, board, watched_roles),)),
    )


def _board(plan: LinePlan, at: Places, address: BoardAddress, watched_roles: Iterable[Role]) -> Role:
    """It reads the /metrics of these roles, and of the processes that line.yaml names. Workers that come and go with
    the lag are not among them: their ports are known once they start."""
    role = _role(plan, at, "board", "board")
    processes = [*at.settings.board.processes, *(other.url for other in watched_roles)]
    own = {"ANDON_BOARD__PORT": str(address.port), "ANDON_BOARD__PROCESSES": json.dumps(processes)}
    return replace(role, env={**role.env, **own})


def scaled_pools(plan: LinePlan, at: Places) -> list[ScaledPool]:
    """The pools whose number of workers follows their lag."""
    if plan.most_workers is None:
        return []
    settings = at.settings
    return [
        ScaledPool(
            pool,
            _rule(plan.workers, plan.most_workers, of.scaling),
            of.scaling.poll_s,
            {_name("worker", pool, number): number for number in range(1, plan.most_workers + 1)},
            partial(_worker, plan, at, pool),
            partial(_partitions, settings.kafka, settings.worker_group(pool), settings.pool_topic(pool)),
        )
        for pool, of in settings.pools.items()
    ]


def _rule(least: int, most: int, of: ScalingSettings) -> ScalingRule:
    windows = (of.up_window_s, of.down_window_s, of.cooldown_s)
    return ScalingRule(least, most, of.lag_threshold, of.activation_lag, *windows)


async def _partitions(kafka: KafkaSettings, group: str, topic: str) -> list[Reading] | None:
    lags = await group_lag(kafka, group, topic)
    return None if lags is None else [Reading(lag.committed, lag.records) for lag in lags]


def _worker(plan: LinePlan, at: Places, pool: str, number: int) -> Role:
    return _role(plan, at, _name("worker", pool, number), "work", "--pool", pool)


def _name(kind: str, pool: str, number: int) -> str:
    return f"{kind}-{number}" if pool == "default" else f"{kind}-{pool}-{number}"


def _role(plan: LinePlan, at: Places, name: str, *command: str) -> Role:
    port = free_port()
    arguments = andon(command[0], "-c", str(plan.config), *command[1:])
    env = {**at.env, "ANDON_HTTP__HOST": HOST, "ANDON_HTTP__PORT": str(port)}
    log = plan.folder / "logs" / f"{name}.log"
    return Role(name, arguments, f"http://{HOST}:{port}", log, env, log_limits(at.settings))


def andon(*arguments: str) -> tuple[str, ...]:
    # on its own broker the line must work off everything; a shared one keeps its records for the next start
    return (sys.executable, "-P", "-m", "andon", *arguments)


def _lag(kafka: KafkaSettings, topics: dict[str, str]) -> Callable[[], Awaitable[int | None]]:
    """The sum of the lags of these groups (group -> topic), in records."""

    async def behind() -> int | None:
        total = 0
        for group, topic in topics.items():
            lags = await group_lag(kafka, group, topic)
            if lags is None:
                return None
            total += sum(lag.records for lag in lags)
        return total

    return behind
