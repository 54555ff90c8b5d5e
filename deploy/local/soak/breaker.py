"""Does a fault to a running line, as it happens in a factory: power cuts, hung processes, servers that come and go."""

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

from deploy.local.line import Line
from deploy.local.server import Server, answers
from deploy.local.soak.schedule import Fault, Kind


class Cameras(Server):
    """The demo's clips as live cameras, which can be killed and started again."""

    start_s = 20.0

    def __init__(self, log_dir: Path) -> None:
        super().__init__("cameras", log_dir, None)

    def _command(self, port: int) -> list[str]:
        return [sys.executable, "-P", "-m", "sample_streams", "serve", "--port", str(port)]

    def _answers(self) -> bool:
        return answers(self.port)


@dataclass(frozen=True, slots=True)
class Servers:
    """What can be broken besides the roles."""

    broker: Server
    redis: Server
    redis_data: Path
    cameras: Server


class Breaker:
    """One line's."""

    def __init__(self, line: Line, servers: Servers) -> None:
        self._line = line
        self._servers = servers
        self._ways: dict[Kind, Callable[[Fault], Awaitable[None]]] = {
            "kill_worker": self._kill_role,
            "kill_sink": self._kill_role,
            "kill_ingest": self._kill_role,
            "freeze_worker": self._freeze_role,
            "freeze_sink": self._freeze_role,
            "freeze_broker": self._freeze_broker,
            "kill_broker": self._kill_broker,
            "empty_redis": self._empty_redis,
            "kill_cameras": self._kill_cameras,
        }

    async def do(self, fault: Fault) -> None:
        """Returns when the fault is over: what was killed may start again, what was frozen goes on."""
        await self._ways[fault.kind](fault)

    async def _kill_role(self, fault: Fault) -> None:
        os.killpg(self._pid(fault), signal.SIGKILL)  # its supervisor starts it again

    async def _freeze_role(self, fault: Fault) -> None:
        await _frozen(self._pid(fault), fault.for_s)

    async def _freeze_broker(self, fault: Fault) -> None:
        await _frozen(self._servers.broker.pid, fault.for_s)

    async def _kill_broker(self, fault: Fault) -> None:
        await self._down(self._servers.broker, fault.for_s)

    async def _empty_redis(self, fault: Fault) -> None:
        self._servers.redis.kill()
        shutil.rmtree(self._servers.redis_data, ignore_errors=True)
        await self._down(self._servers.redis, fault.for_s)

    async def _kill_cameras(self, fault: Fault) -> None:
        await self._down(self._servers.cameras, fault.for_s)

    async def _down(self, server: Server, for_s: float) -> None:
        server.kill()
        await asyncio.sleep(for_s)
        server.restart()  # blocks until it answers, in the thread that its life hangs on

    def _pid(self, fault: Fault) -> int:
        names = {"worker": "worker-1", "sink": "sinks", "ingest": "ingest"}
        pid = self._line.process(names[fault.kind.split("_")[1]]).pid
        assert pid is not None, "it was started, and is started again when it dies"
        return pid


async def _frozen(pid: int, for_s: float) -> None:
    os.kill(pid, signal.SIGSTOP)
    try:
        await asyncio.sleep(for_s)
    finally:
        os.kill(pid, signal.SIGCONT)
