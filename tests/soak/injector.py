"""Injects a fault into a running line, as a factory has them: power cuts, frozen processes, servers that restart."""

import asyncio
import os
import shutil
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from andon.clock import Clock
from andon.errors import FatalError
from deploy.local.interrupt import alongside
from deploy.local.line import LocalLine
from deploy.local.role_process import RoleProcess
from deploy.local.server import Server, answers
from tests.soak.clocks import STEPS_S, Clocks
from tests.soak.moment import Moment
from tests.soak.odd_camera import STUFFED, OddCamera, large
from tests.soak.poison import publish_poison
from tests.soak.schedule import Fault, Kind
from tests.soak.topic_limit import narrow

BACK_S = 120.0
"""A role that is not ready after this time fails the soak."""
STORM_S = 2.0
"""Interval between two workers that leave."""
Injection = Callable[[Fault], AbstractAsyncContextManager[None]]
"""The fault lasts while the block runs; leaving the block repairs it, or it repairs itself."""


class CameraServer(Server):
    """Serves the demo's clips as live cameras; can be killed and started again."""

    start_s = 20.0

    def __init__(self, log_dir: Path) -> None:
        super().__init__("cameras", log_dir, None)

    def _command(self, port: int) -> list[str]:
        return [sys.executable, "-P", "-m", "sample_streams", "serve", "--port", str(port)]

    def _answers(self) -> bool:
        return answers(self.port)


@dataclass(frozen=True, slots=True)
class Targets:
    """Everything besides the roles that a fault can hit."""

    broker: Server
    redis: Server
    cameras: Server
    redis_data: Path
    evidence: Path
    store: Path
    broker_data: Path
    """The log of the broker, if that is Apache Kafka."""
    odd_camera: OddCamera
    clocks: Clocks


class FaultInjector:
    """Injects faults into one line."""

    def __init__(self, line: LocalLine, parts: Targets, clock: Clock) -> None:
        self._line = line
        self._parts = parts
        self._clock = clock
        self._injections: Mapping[Kind, Injection] = {
            "kill_worker": self._killed,
            "kill_sink": self._killed,
            "kill_ingest": self._killed,
            "freeze_worker": self._frozen,
            "freeze_sink": self._frozen,
            "freeze_broker": lambda _: _at_once(stopped(parts.broker.pid)),
            "freeze_redis": lambda _: _at_once(stopped(parts.redis.pid)),
            "freeze_cameras": lambda _: _at_once(stopped(parts.cameras.pid)),
            "kill_broker": lambda _: _at_once(_down(parts.broker)),
            "kill_cameras": lambda _: _at_once(_down(parts.cameras)),
            "empty_redis": lambda _: _at_once(_down(parts.redis, data=parts.redis_data)),
            "lock_store": lambda _: _at_once(locked(parts.store)),
            "close_evidence": lambda _: _at_once(closed(parts.evidence)),
            "storm": self._storm,
            "poison": self._poison,
            "large_record": self._large_record,
            "roll_back": lambda _: _at_once(_rolled_back(parts.broker, parts.broker_data)),
            "step_clock": self._clock_set,
            "stuffed_jpegs": lambda _: _at_once(parts.odd_camera.sending(STUFFED)),
        }

    async def inject(self, fault: Fault) -> Moment:
        """Inject the fault for `for_s`, then repair it. Returns when the repair began: it is part of the recovery."""
        async with self._injections[fault.kind](fault):
            await asyncio.sleep(fault.for_s)
            return Moment.now(self._clock)

    @asynccontextmanager
    async def _killed(self, fault: Fault) -> AsyncIterator[None]:
        os.killpg(await _pid(self._role(fault)), signal.SIGKILL)  # its supervisor starts it again
        yield

    @asynccontextmanager
    async def _frozen(self, fault: Fault) -> AsyncIterator[None]:
        with stopped(await _pid(self._role(fault))):
            yield

    @asynccontextmanager
    async def _storm(self, fault: Fault) -> AsyncIterator[None]:
        async with alongside(self._leave_and_join(fault.number)):
            yield

    async def _leave_and_join(self, number: int) -> None:
        """One worker after the other leaves the group, by SIGTERM or by SIGKILL, and is started again."""
        while True:
            pid = await _pid(self._worker(number))
            os.kill(pid, signal.SIGKILL if number % 2 else signal.SIGTERM)
            number += 1
            await asyncio.sleep(STORM_S)

    @asynccontextmanager
    async def _poison(self, fault: Fault) -> AsyncIterator[None]:
        settings = self._line.at.settings
        await publish_poison(settings.kafka, [camera.id for camera in settings.cameras], fault.number)
        yield

    @asynccontextmanager
    async def _large_record(self, fault: Fault) -> AsyncIterator[None]:
        async with narrow(self._line.at.settings.kafka):
            with self._parts.odd_camera.sending(large()):
                yield

    @asynccontextmanager
    async def _clock_set(self, fault: Fault) -> AsyncIterator[None]:
        roles = (self._line.process("ingest"), self._worker(fault.number), self._line.process("sinks"))
        role = roles[fault.number % len(roles)].role
        with self._parts.clocks.set(role.url, STEPS_S[fault.number % len(STEPS_S)]):
            yield

    def _role(self, fault: Fault) -> RoleProcess:
        kind = fault.kind.split("_")[1]
        names = {"sink": "sinks", "ingest": "ingest"}
        return self._line.process(names[kind]) if kind in names else self._worker(fault.number)

    def _worker(self, number: int) -> RoleProcess:
        workers = self._line.groups.workers.roles
        return self._line.process(workers[number % len(workers)].name)


async def _pid(process: RoleProcess) -> int:
    """The pid of the process once it is ready. Raises FatalError if it is not within BACK_S."""
    try:
        async with asyncio.timeout(BACK_S):
            while not await process.ready():
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise FatalError(f"{process.role.name} has not been ready for {BACK_S:.0f} s: see {process.role.log}") from None
    assert process.pid is not None, "it is ready"
    return process.pid


@asynccontextmanager
async def _at_once(injection: AbstractContextManager[None]) -> AsyncIterator[None]:
    """An injection that awaits nothing."""
    with injection:
        yield


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@contextmanager
def _down(server: Server, data: Path | None = None) -> Iterator[None]:
    server.kill()
    if data is not None:
        shutil.rmtree(data, ignore_errors=True)
    yield
    server.restart()  # blocks until it answers; the server dies with this thread


@contextmanager
def _rolled_back(server: Server, data: Path) -> Iterator[None]:
    """After the block the server goes on with the disk that it had before: everything since then is gone."""
    snapshot = data.with_name("snapshot")
    server.kill()
    shutil.rmtree(snapshot, ignore_errors=True)
    shutil.copytree(data, snapshot)
    server.restart()
    try:
        yield
    finally:
        server.kill()
        shutil.rmtree(data)
        shutil.copytree(snapshot, data)
        server.restart()


@contextmanager
def locked(store: Path) -> Iterator[None]:
    """Hold the write lock, as a backup or a person at a shell does."""
    with closing(sqlite3.connect(store, timeout=10.0, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield


@contextmanager
def closed(folder: Path) -> Iterator[None]:
    """Put a file where the folder was: nobody, root included, can write there."""
    folder.mkdir(parents=True, exist_ok=True)
    aside = folder.with_name(f"{folder.name}.aside")
    folder.rename(aside)
    folder.touch()
    try:
        yield
    finally:
        folder.unlink()
        aside.rename(folder)
