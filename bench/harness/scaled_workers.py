"""Workers whose detector sleeps, kept by the supervisor of `andon up --workers 1..4` and its scaling loop."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from andon.clock import Clock
from andon.config import load
from andon.events import Event
from bench.harness.roles import environment
from bench.harness.simulated_workers import MODULE, READY_S
from deploy.local.events import PoolScaled, RoleDied, RoleStarted
from deploy.local.line import LinePlan, scaled_pools
from deploy.local.places import Places
from deploy.local.role_process import Role
from deploy.local.scaled_pool import GROUP, ScaledPool, keep_scaled
from deploy.local.server import HOST, free_port
from deploy.local.supervisor import RoleGroup, Supervisor, Timeouts

WATCH_S = 0.1


@dataclass(frozen=True, slots=True)
class Change:
    """The number of workers from a moment of the monotonic clock on."""

    at_s: float
    workers: int


@dataclass(slots=True)
class ScaledWorkers:
    """What the supervisor did."""

    clock: Clock
    supervisor: Supervisor | None = None
    changes: list[Change] = field(default_factory=list)
    started_s: dict[str, float] = field(default_factory=dict)
    ready_s: dict[str, float] = field(default_factory=dict)
    """When each worker was seen ready for the first time."""
    died: int = 0

    @property
    def now(self) -> int:
        """The workers there are."""
        return len(self.supervisor.processes) if self.supervisor is not None else 0

    @property
    def slowest_start_s(self) -> float:
        """Of all workers but the first: from the process's start until it has joined its group."""
        later = {name: at_s for name, at_s in self.ready_s.items() if name != "worker-1"}
        return max((at_s - self.started_s[name] for name, at_s in later.items()), default=0.0)

    def note(self, event: Event) -> None:
        if isinstance(event, PoolScaled):
            self.changes.append(Change(self.clock.monotonic(), event.workers))
        elif isinstance(event, RoleStarted):
            self.started_s.setdefault(event.process, self.clock.monotonic())
        elif isinstance(event, RoleDied):
            self.died += 1

    async def watch(self) -> None:
        """Note when workers get ready; until cancelled."""
        assert self.supervisor is not None
        while True:
            for process in list(self.supervisor.processes):
                if process.role.name not in self.ready_s and await process.ready():
                    self.ready_s[process.role.name] = self.clock.monotonic()
            await asyncio.sleep(WATCH_S)


@asynccontextmanager
async def scaled_workers(config: Path, most: int, batch_ms: float, clock: Clock) -> AsyncIterator[ScaledWorkers]:
    """One worker, ready, and a scaling loop that follows the lag up to `most`. All are killed at the end."""
    plan = LinePlan(config, load(config), config.parent, 1, most)
    (pool,) = scaled_pools(plan, Places(plan.settings, {}, {}))
    pool = replace(pool, role=partial(_sleeping, pool, config, batch_ms))
    found = ScaledWorkers(clock)
    async with Supervisor(found.note, clock, Timeouts(ready_s=READY_S)) as supervisor:
        found.supervisor = supervisor
        await supervisor.start(RoleGroup(GROUP, (pool.role(1),)))
        found.changes.append(Change(clock.monotonic(), 1))
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(keep_scaled(pool, supervisor, clock, found.note), name="scale"),
                group.create_task(found.watch(), name="watch.workers"),
            ]
            yield found
            for task in tasks:
                task.cancel()


def _sleeping(pool: ScaledPool, config: Path, batch_ms: float, number: int) -> Role:
    name = next(name for name, its_number in pool.numbers.items() if its_number == number)
    port = free_port()
    command = (sys.executable, "-m", MODULE, "-c", str(config), "--batch-ms", str(batch_ms))
    env = environment() | {"ANDON_HTTP__HOST": HOST, "ANDON_HTTP__PORT": str(port)}
    return Role(name, command, f"http://{HOST}:{port}", config.parent / f"{name}.log", env)
