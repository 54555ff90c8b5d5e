"""A whole line on one machine: which processes there are, and in which order they start and stop."""

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from andon.clock import Clock
from andon.errors import FatalError
from andon.events import Emit
from andon.settings import KafkaSettings, Settings
from andon.stream.lag import group_lag
from andon.stream.topics import ensure_topics
from deploy.local.places import ANY, Places, Ports, log_limits, places
from deploy.local.role_process import Echo, Role, RoleProcess
from deploy.local.server import HOST, free_port
from deploy.local.supervisor import RoleGroup, Supervisor, Timeouts

WATCH_S = 1.0
LAG_S = 2.0
STOP_MARGIN_S = 5.0


@dataclass(frozen=True, slots=True)
class Plan:
    """`folder` takes logs and Redis' file; `settings` are those of the file at `config`."""

    config: Path
    settings: Settings
    folder: Path
    workers: int = 1
    """For each pool."""
    backlog_s: float = 60.0
    ports: Ports = ANY
    own_log: bool = False
    """The broker that line.yaml names is this line's alone: its backlog is worked off before the line stops."""


@dataclass(frozen=True, slots=True)
class RoleGroups:
    ingest: RoleGroup
    workers: RoleGroup
    sinks: RoleGroup


class Line:
    """Starts against the stream and stops with it, so that no frame ever waits for a stage that is not there."""

    def __init__(self, stages: RoleGroups, at: Places, supervisor: Supervisor, emit: Emit) -> None:
        self.groups = stages
        self.at = at
        self._supervisor = supervisor
        self._emit = emit

    async def start_inspecting(self) -> None:
        """Topics, sinks and workers; returns when all are ready, models loaded and warm. Raises FatalError."""
        await ensure_topics(self.at.settings, self._emit)
        async with asyncio.TaskGroup() as group:
            for stage in (self.groups.sinks, self.groups.workers):
                group.create_task(self._supervisor.start(stage), name=f"start.{stage.name}")

    async def start_capture(self) -> None:
        """Ingest; returns when it runs, whether or not every camera answers."""
        await self._supervisor.start(self.groups.ingest)

    async def fails(self) -> None:
        """Never returns. Raises FatalError when a server of ours has ended: what its memory held is gone."""
        while True:
            for name, server in self.at.own.items():
                if server.returncode is not None:
                    raise FatalError(f"the embedded {name} ended with {server.returncode}: see {server.log}")
            await asyncio.sleep(WATCH_S)

    def process(self, name: str) -> RoleProcess:
        """The process of the role with this name. Raises KeyError where none was started."""
        return {process.role.name: process for process in self._supervisor.processes}[name]

    async def drain(self) -> bool:
        """Ingest, workers, sinks. Whether nothing was left behind."""
        return await self._supervisor.drain([self.groups.ingest, self.groups.workers, self.groups.sinks])


class Lag:
    """How far a stage is behind, read every LAG_S: each reading opens connections of its own."""

    def __init__(self, stage: RoleGroup) -> None:
        self._stage = stage
        self.records: int | None = None
        """None where it is not known."""

    async def keep(self) -> None:
        """Go on reading until cancelled."""
        while True:
            await self.read()
            await asyncio.sleep(LAG_S)

    async def read(self) -> None:
        if self._stage.behind is not None:
            self.records = await self._stage.behind()


@asynccontextmanager
async def line(plan: Plan, emit: Emit, clock: Clock, echo: Echo | None = None) -> AsyncIterator[Line]:
    """Servers up, nothing else started yet; at the end whatever runs is killed, then the servers stop."""
    timeouts = Timeouts(backlog_s=plan.backlog_s, stop_s=plan.settings.run.drain_s + STOP_MARGIN_S)
    with places(plan.settings, plan.folder, plan.ports) as at:
        async with Supervisor(emit, clock, timeouts, echo) as supervisor:
            yield Line(role_groups(plan, at), at, supervisor, emit)


def role_groups(plan: Plan, at: Places) -> RoleGroups:
    settings, kafka = at.settings, at.settings.kafka
    pools = {settings.worker_group(pool): settings.pool_topic(pool) for pool in settings.pools}
    # On a broker of its own the line has to work off everything. A shared one keeps it, and others go on producing.
    own_log = plan.own_log or at.own_broker
    workers_lag = _lag(kafka, pools) if own_log else None
    sinks_lag = _lag(kafka, {settings.sink_group: kafka.inspections_topic}) if own_log else None
    workers = [
        _role(plan, at, _name("worker", pool, number), "work", "--pool", pool)
        for pool in settings.pools
        for number in range(1, plan.workers + 1)
    ]
    return RoleGroups(
        ingest=RoleGroup("ingest", (_role(plan, at, "ingest", "ingest"),)),
        workers=RoleGroup("workers", tuple(workers), workers_lag),
        sinks=RoleGroup("sinks", (_role(plan, at, "sinks", "sink"),), sinks_lag),
    )


def _name(kind: str, pool: str, number: int) -> str:
    return f"{kind}-{number}" if pool == "default" else f"{kind}-{pool}-{number}"


def _role(plan: Plan, at: Places, name: str, *command: str) -> Role:
    port = free_port()
    arguments = andon(command[0], "-c", str(plan.config), *command[1:])
    env = {**at.env, "ANDON_HTTP__HOST": HOST, "ANDON_HTTP__PORT": str(port)}
    log = plan.folder / "logs" / f"{name}.log"
    return Role(name, arguments, f"http://{HOST}:{port}", log, env, log_limits(at.settings))


def andon(*arguments: str) -> tuple[str, ...]:
    """The command line of `andon ...` in this Python. -P: a file redis.py in the user's folder is not our redis."""
    return (sys.executable, "-P", "-m", "andon", *arguments)


def _lag(kafka: KafkaSettings, topics: dict[str, str]) -> Callable[[], Awaitable[int | None]]:
    """How many records the groups (group -> topic) are behind, all together."""

    async def behind() -> int | None:
        total = 0
        for group, topic in topics.items():
            lags = await group_lag(kafka, group, topic)
            if lags is None:
                return None
            total += sum(lag.records for lag in lags)
        return total

    return behind
