"""A pool's processes come and go with its lag, and the newest go first."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from andon.clock import SystemClock
from deploy.local.events import PoolScaled
from deploy.local.scaled_pool import GROUP, ScaledPool, keep_scaled
from deploy.local.supervisor import RoleGroup, Supervisor
from deploy.scaling import Reading, ScalingRule
from tests.fakes import RecordedEvents
from tests.integration.deploy.test_supervisor import journal, role, supervisor

pytestmark = pytest.mark.integration


class Lags:
    """Gives one reading after the other, and the last one for ever."""

    def __init__(self, readings: Iterable[list[int] | None]) -> None:
        self._readings = list(readings)
        self._committed = 0

    async def __call__(self) -> list[Reading] | None:
        lags = self._readings.pop(0) if len(self._readings) > 1 else self._readings[0]
        self._committed += 1
        return None if lags is None else [Reading(self._committed, lag) for lag in lags]


def pool(folder: Path, rule: ScalingRule, readings: Iterable[list[int] | None]) -> ScaledPool:
    numbers = {f"worker-{number}": number for number in range(1, rule.most + 1)}
    return ScaledPool("default", rule, 0.05, numbers, lambda number: role(folder, f"worker-{number}"), Lags(readings))


@asynccontextmanager
async def scaled(pool: ScaledPool, running: Supervisor, emit: RecordedEvents) -> AsyncIterator[None]:
    roles = tuple(pool.role(number) for number in range(1, pool.rule.least + 1))
    await running.start(RoleGroup(GROUP, roles))
    task = asyncio.create_task(keep_scaled(pool, running, SystemClock(), emit))
    yield
    task.cancel()
    await asyncio.wait({task})
    assert task.cancelled()


def changes(emit: RecordedEvents) -> list[tuple[int, int]]:
    return [(event.before, event.workers) for event in emit.of(PoolScaled)]


async def until(emit: RecordedEvents, count: int) -> None:
    async with asyncio.timeout(60):
        while len(emit.of(PoolScaled)) < count:
            await asyncio.sleep(0.02)


async def test_workers_come_with_the_lag_and_the_newest_go_with_it(tmp_path: Path) -> None:
    emit = RecordedEvents()
    rule = ScalingRule(1, 3, lag_threshold=100, down_window_s=0.0)
    readings: list[list[int] | None] = [[10, 10, 10], None, [200, 200, 200], [0, 0, 0]]
    async with supervisor(emit) as running, scaled(pool(tmp_path, rule, readings), running, emit):
        await until(emit, 2)
        async with asyncio.timeout(60):
            while len(running.processes) > 1:
                await asyncio.sleep(0.02)
        assert changes(emit) == [(1, 3), (3, 1)]
        assert [process.role.name for process in running.processes] == ["worker-1"]
        ended = [line for line in journal(tmp_path) if line.endswith("ended")]
        assert {"worker-1 ended"}.isdisjoint(ended)


async def test_a_pool_without_work_sleeps_and_wakes(tmp_path: Path) -> None:
    emit = RecordedEvents()
    rule = ScalingRule(0, 2, lag_threshold=100, cooldown_s=0.0)
    readings: list[list[int] | None] = [[0, 0], [5, 0], [0, 0]]
    async with supervisor(emit) as running, scaled(pool(tmp_path, rule, readings), running, emit):
        await until(emit, 2)
        assert changes(emit) == [(0, 1), (1, 0)]


async def test_a_group_that_stops_gets_no_more_workers(tmp_path: Path) -> None:
    emit = RecordedEvents()
    rule = ScalingRule(1, 3, lag_threshold=100)
    async with supervisor(emit) as running, scaled(pool(tmp_path, rule, [[0, 0, 0]]), running, emit):
        assert await running.stop(RoleGroup(GROUP, ()))
        running.add(GROUP, role(tmp_path, "worker-2"))
        assert [process.role.name for process in running.processes] == ["worker-1"]
