"""One role as a child process: started, watched, started again when it ends unasked, stopped on request."""

import asyncio
import contextlib
import os
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from andon.backoff import Backoff
from andon.errors import FatalError
from andon.events import Emit
from deploy.local.child import FLUSH_S, bound_to_us
from deploy.local.events import RoleDied, RoleStarted
from deploy.local.http_get import http_get
from deploy.local.rotating_log import LIMITS, LogLimits, RotatingLog, last_words

STEADY_S = 30.0
"""A role that ran for longer starts again without delay, as after its first failure."""
BACKOFF = Backoff(first_s=0.5, most_s=15.0)
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
    limits: LogLimits = LIMITS


class RoleProcess:
    """Keeps one role running from `keep` until `stop`."""

    def __init__(self, role: Role, emit: Emit, echo: Echo | None = None) -> None:
        self.role = role
        self.starts = 0
        self._emit = emit
        self._echo = partial(echo, role.name) if echo else None
        self._process: asyncio.subprocess.Process | None = None
        self._stopping = asyncio.Event()
        self._was_ready = False

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    async def keep(self) -> None:
        """Run it, and run it again whenever it ends unasked, whatever its exit code; returns after `stop`.

        Cancelled, it kills the process. Raises FatalError if its settings are wrong before it was ever ready.
        """
        failures = 0
        try:
            while not self._stopping.is_set():
                began = asyncio.get_running_loop().time()
                code = await self._run()
                if self._stopping.is_set():
                    return
                failures = 1 if asyncio.get_running_loop().time() - began > STEADY_S else failures + 1
                await self._report_and_pause(code, failures)
        finally:
            self.kill()
            await self._reap()

    async def _run(self) -> int:
        self.starts += 1
        log = RotatingLog(self.role.log, self.role.limits, self._echo)
        self._process = await asyncio.create_subprocess_exec(
            *bound_to_us(self.role.command),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={**os.environ, **self.role.env},
            start_new_session=True,
        )
        if self._stopping.is_set():  # `stop` was called while it started
            self._process.send_signal(signal.SIGTERM)
        self._emit(RoleStarted(self.role.name, self._process.pid))
        copying = asyncio.create_task(_copy_output(self._process, log), name=f"{self.role.name}.output")
        code = await self._process.wait()
        await asyncio.wait({copying}, timeout=FLUSH_S)
        copying.cancel()
        return code

    async def _reap(self) -> None:
        """After a kill: wait for its end and release its pipe, which a grandchild may hold open."""
        if self._process is None:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(REAP_S):
                await self._process.wait()
        self._process._transport.close()  # type: ignore[attr-defined]  # nothing public closes it

    async def _report_and_pause(self, code: int, failures: int) -> None:
        why = await asyncio.to_thread(last_words, self.role.log)
        if code == CONFIG_ERROR and not self._was_ready:
            raise FatalError(f"{self.role.name} can't start: {why} (its log: {self.role.log})")
        pause_s = BACKOFF.delay_s(failures)
        self._emit(RoleDied(self.role.name, code, why, pause_s))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause_s):
                await self._stopping.wait()

    async def ready(self) -> bool:
        """Whether /readyz says so."""
        response = await http_get(f"{self.role.url}/readyz") if self._alive() else None
        ready = response is not None and response.status == 200
        self._was_ready = self._was_ready or ready
        return ready

    async def stop(self, timeout_s: float) -> int | None:
        """SIGTERM, and SIGKILL after `timeout_s`. Returns its exit code; None if it had ended before.

        The exit code is 0, too, if it had not begun: a role handles signals before it takes any work, so a signal that
        kills it costs nothing.
        """
        self._stopping.set()
        process = self._process
        if process is None:
            return 0
        if not self._alive():
            return None
        process.send_signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(timeout_s):
                code = await process.wait()
                return 0 if code == -signal.SIGTERM else code
        except TimeoutError:
            self.kill()
            return await process.wait()

    def kill(self) -> None:
        """SIGKILL to it and to whatever it started; it does not start again."""
        self._stopping.set()
        if self._process is not None and self._alive():
            with contextlib.suppress(ProcessLookupError):  # it ended just now, and the event loop has not heard of it
                os.killpg(self._process.pid, signal.SIGKILL)

    def _alive(self) -> bool:
        return self._process is not None and self._process.returncode is None


async def _copy_output(process: asyncio.subprocess.Process, log: RotatingLog) -> None:
    assert process.stdout is not None
    try:
        while chunk := await process.stdout.read(65_536):
            log.write(chunk)
    finally:
        log.close()
