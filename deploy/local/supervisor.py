"""Runs a line's roles as child processes and stops them in the order in which frames travel.

Ingest stops first, so that no new frames come. Workers stop when they have no lag, then sinks when they have none. So
every captured frame is accounted for before the servers stop.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from andon.clock import Clock
from andon.errors import FatalError
from andon.events import Emit
from andon.process.tasks import first_andon_error
from deploy.local.events import StageStopped
from deploy.local.role_process import Echo, Role, RoleProcess
from deploy.local.rotating_log import last_words

PROBE_S = 0.25
"""Interval at which a process or a lag is polled; nothing signals a change of either."""


@dataclass(frozen=True, slots=True)
class RoleGroup:
    """Roles that stop together, once their lag is 0. `behind` returns it in records; None: it is unknown now."""

    name: str
    roles: tuple[Role, ...]
    behind: Callable[[], Awaitable[int | None]] | None = None


READY_S = 300.0


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds for a start (a first start may export a model), for a group's backlog, and for a process to end."""

    ready_s: float = READY_S
    backlog_s: float = 60.0
    stop_s: float = 25.0


class Supervisor:
    """`async with Supervisor(...) as supervisor:` keeps processes running; leaving the block kills them."""

    def __init__(self, emit: Emit, clock: Clock, timeouts: Timeouts, echo: Echo | None = None) -> None:
        self._emit = emit
        self._clock = clock
        self._timeouts = timeouts
        self._echo = echo
        self._group = asyncio.TaskGroup()
        self._processes: dict[str, list[RoleProcess]] = {}
        self._stopping: set[str] = set()
        """Groups that get no more processes."""

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self.processes:
            process.kill()
        try:
            await self._group.__aexit__(kind, error, trace)
        except BaseExceptionGroup as errors:
            raise first_andon_error(errors) or errors from None

    @property
    def processes(self) -> list[RoleProcess]:
        """In the order of their start."""
        return [process for processes in self._processes.values() for process in processes]

    async def start(self, group: RoleGroup, *, wait: bool = True) -> None:
        """Start a group's processes and wait until all are ready, unless the line can do without them for now.

        Raises FatalError if they are not ready within `ready_s`. A mistake in the settings fails the whole block.
        """
        processes = [RoleProcess(role, self._emit, self._echo) for role in group.roles]
        self._processes[group.name] = processes
        for process in processes:
            self._group.create_task(process.keep(), name=process.role.name)
        for process in processes if wait else ():
            await self._until_ready(process)

    def add(self, group: str, role: Role) -> None:
        """Start one more process of a group that was started, unless it is stopping. It is not waited for."""
        if group in self._stopping:
            return
        process = RoleProcess(role, self._emit, self._echo)
        self._processes[group].append(process)
        self._group.create_task(process.keep(), name=role.name)

    async def remove(self, group: str, process: RoleProcess) -> None:
        """Stop one process of a group; it works off what it has taken."""
        await process.stop(self._timeouts.stop_s)
        self._processes[group].remove(process)

    async def _until_ready(self, process: RoleProcess) -> None:
        try:
            async with asyncio.timeout(self._timeouts.ready_s):
                await _until(process.ready)
        except TimeoutError:
            role, waited = process.role, f"{process.role.name} was not ready after {self._timeouts.ready_s:.0f} s"
            why = await asyncio.to_thread(last_words, role.log) if process.starts > 1 else "it is still starting"
            raise FatalError(f"{waited}: {why} (its log: {role.log})") from None

    async def stop(self, group: RoleGroup) -> bool:
        """Wait until the group has no lag, then stop it. Whether both went well; a group that never started did."""
        if group.name not in self._processes:
            return True
        began = self._clock.monotonic()
        left = await self._worked_off(group)
        self._stopping.add(group.name)
        stopping = [process.stop(self._timeouts.stop_s) for process in self._processes[group.name]]
        codes = await asyncio.gather(*stopping)
        seconds = self._clock.monotonic() - began
        self._emit(StageStopped(group.name, left, ",".join(str(code) for code in codes), seconds))
        return left == 0 and all(code == 0 for code in codes)

    async def _worked_off(self, group: RoleGroup) -> int | None:
        """Wait until the lag is 0, at most `backlog_s`. Returns the lag that is left."""
        behind = group.behind
        if behind is None:
            return 0
        left: int | None = None

        async def worked_off() -> bool:
            nonlocal left
            left = await behind()
            return left == 0

        try:
            async with asyncio.timeout(self._timeouts.backlog_s):
                await _until(worked_off)
        except TimeoutError:
            pass  # the caller reports what is left
        return left

    async def drain(self, groups: Sequence[RoleGroup]) -> bool:
        """Stop the groups one after the other. Whether no record was left."""
        ended_well = [await self.stop(group) for group in groups]
        return all(ended_well)


async def _until(check: Callable[[], Awaitable[bool]]) -> None:
    while not await check():  # noqa: ASYNC110 - the state of another process can only be polled
        await asyncio.sleep(PROBE_S)
