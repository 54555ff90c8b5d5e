"""One role as a child process: started, watched, started again when it dies, stopped when asked."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from andon.errors import FatalError
from andon.events import Emit
from deploy.local.child import bound_to_us, log_tail
from deploy.local.events import RoleDied, RoleStarted
from deploy.local.http_get import http_get

STEADY_S = 30.0
"""Having run for so long, a role that dies is started again at once, as if for the first time."""
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 15.0
REAP_S = 5.0
CONFIG_ERROR = 2
"""The exit code of a mistake in the settings: another attempt would fail in the same way."""

Echo = Callable[[str, str], None]
"""(process, line): shows a line that a process wrote."""


@dataclass(frozen=True, slots=True)
class Role:
    """What to run. `url` is where it serves /readyz, `log` where its output goes."""

    name: str
    command: tuple[str, ...]
    url: str
    log: Path
    env: Mapping[str, str] = field(default_factory=dict)


class RoleProcess:
    """Keeps one role running from `keep` until `stop`."""

    def __init__(self, role: Role, emit: Emit, echo: Echo | None = None) -> None:
        self.role = role
        self.starts = 0
        self._emit = emit
        self._echo = echo
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = asyncio.Event()
        self._was_ready = False

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    async def keep(self) -> None:
        """Run it, and again each time that it ends unasked; returns after `stop`.

        Cancelled, it kills the process. Raises FatalError when its settings are wrong before it was ever ready.
        """
        failures = 0
        try:
            while not self._stopping.is_set():
                began = asyncio.get_running_loop().time()
                code = await self._run()
                if self._stopping.is_set():
                    return
                failures = 1 if asyncio.get_running_loop().time() - began > STEADY_S else failures + 1
                await self._pause_before_restart(code, failures)
        finally:
            self.kill()
            await self._reap()

    async def _run(self) -> int:
        self.starts += 1
        self.role.log.parent.mkdir(parents=True, exist_ok=True)
        self._process = await asyncio.create_subprocess_exec(
            *bound_to_us(self.role.command),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={**os.environ, **self.role.env},
            start_new_session=True,
        )
        if self._stopping.is_set():  # asked while it was being started
            self._process.send_signal(signal.SIGTERM)
        self._emit(RoleStarted(self.role.name, self._process.pid))
        copying = asyncio.create_task(self._copy_output(self._process), name=f"{self.role.name}.output")
        code = await self._process.wait()
        # What it started may hold its output open for longer than it lives.
        await asyncio.wait({copying}, timeout=1.0)
        copying.cancel()
        return code

    async def _reap(self) -> None:
        """After a kill: wait for its end and let go its pipe, which outlives it where a grandchild holds it."""
        if self._process is None:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(REAP_S):
                await self._process.wait()
        self._process._transport.close()  # type: ignore[attr-defined]  # nothing public closes it

    async def _copy_output(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        with self.role.log.open("ab", buffering=0) as log:
            rest = b""
            while chunk := await process.stdout.read(65_536):
                rest = self._copy(log, rest, chunk)

    def _copy(self, log: BinaryIO, rest: bytes, chunk: bytes) -> bytes:
        with contextlib.suppress(OSError):  # a full disk stops the log, not the line
            log.write(chunk)
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines if self._echo else ():
            assert self._echo is not None
            self._echo(self.role.name, line.decode(errors="replace"))
        return rest

    async def _pause_before_restart(self, code: int, failures: int) -> None:
        said = log_tail(self.role.log)
        if code == CONFIG_ERROR and not self._was_ready:
            raise FatalError(f"{self.role.name} can't start: {said}")
        pause_s = min(FIRST_PAUSE_S * 2 ** (failures - 1), LONGEST_PAUSE_S)
        self._emit(RoleDied(self.role.name, code, said, pause_s))
        try:
            async with asyncio.timeout(pause_s):
                await self._stopping.wait()
        except TimeoutError:
            pass  # the pause is over

    async def ready(self) -> bool:
        """Whether it says so on /readyz."""
        response = await http_get(f"{self.role.url}/readyz") if self._alive() else None
        ready = response is not None and response.status == 200
        self._was_ready = self._was_ready or ready
        return ready

    async def stop(self, timeout_s: float) -> int | None:
        """Ask it to end, kill it after `timeout_s`. Returns its exit code; None if it was not running."""
        self._stopping.set()
        process = self._process
        if process is None or not self._alive():
            return None
        process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(timeout_s):
                return await process.wait()
        except TimeoutError:
            self.kill()
            return await process.wait()

    def kill(self) -> None:
        """SIGKILL to it and to what it started; it is not started again."""
        self._stopping.set()
        if self._process is not None and self._alive():
            os.killpg(self._process.pid, signal.SIGKILL)

    def _alive(self) -> bool:
        return self._process is not None and self._process.returncode is None
