"""A pool on this machine whose number of workers follows its lag."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from andon.clock import Clock
from andon.events import Emit
from deploy.local.events import PoolScaled
from deploy.local.role_process import Role, RoleProcess
from deploy.local.supervisor import Supervisor
from deploy.scaling import Reading, Scaler, ScalingRule

GROUP = "workers"
"""The supervisor's group of all workers."""


@dataclass(frozen=True, slots=True)
class ScaledPool:
    name: str
    rule: ScalingRule
    poll_s: float
    numbers: Mapping[str, int]
    """Of its workers, counted from 1, by the names of their roles."""
    role: Callable[[int], Role]
    """The role of the worker with this number."""
    read: Callable[[], Awaitable[Sequence[Reading] | None]]
    """All partitions of its topic; None: unknown now."""


async def keep_scaled(pool: ScaledPool, supervisor: Supervisor, clock: Clock, emit: Emit) -> None:
    """Add and remove workers until cancelled. `rule.least` of them are running. While the lag is unknown nothing
    changes."""
    scaler = Scaler(pool.rule)
    while True:
        await asyncio.sleep(pool.poll_s)
        partitions = await pool.read()
        if partitions is None:
            continue
        running = _running(pool, supervisor)
        workers = scaler.workers(clock.monotonic(), partitions, len(running))
        if workers != len(running):
            emit(PoolScaled(pool.name, len(running), workers, sum(each.lag for each in partitions)))
            await _resize(pool, supervisor, running, workers)


def _running(pool: ScaledPool, supervisor: Supervisor) -> dict[int, RoleProcess]:
    """The pool's processes by their numbers."""
    by_name = {process.role.name: process for process in supervisor.processes}
    return {number: by_name[name] for name, number in pool.numbers.items() if name in by_name}


async def _resize(pool: ScaledPool, supervisor: Supervisor, running: dict[int, RoleProcess], workers: int) -> None:
    """The newest go first, and finish what they have taken."""
    free = (number for number in range(1, pool.rule.most + 1) if number not in running)
    for number in [next(free) for _ in range(workers - len(running))]:
        supervisor.add(GROUP, pool.role(number))
    leaving = [running[number] for number in sorted(running)[workers:]]
    await asyncio.gather(*(supervisor.remove(GROUP, process) for process in leaving))
