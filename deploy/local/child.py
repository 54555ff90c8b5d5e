"""A child process that dies with us, in a session of its own: a Ctrl-C at the terminal is ours to pass on."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from deploy.local import parent_death
from deploy.local.rotating_log import LIMITS, LogLimits, RotatingLog, last_words

FLUSH_S = 1.0
"""How long an ended process's output is awaited: what it started may hold the pipe open for longer than it lives."""


def bound_to_us(command: Sequence[str]) -> list[str]:
    """`command` (its first word an absolute path), changed so that it dies with the thread of ours that starts it."""
    return [sys.executable, "-I", "-S", parent_death.__file__, str(os.getpid()), *command]


class Child:
    """One running process; its output goes to a rotated log, or nowhere."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log: Path | None = None,
        env: Mapping[str, str] | None = None,
        limits: LogLimits = LIMITS,
    ) -> None:
        """Start it. `command[0]` is an absolute path; `env` is added to our own environment.

        Start it from a thread that lives as long as the child shall: on Linux the kernel kills it with that thread.
        Raises OSError if the log can't be written.
        """
        self.name = name
        self.log = log
        rotating = RotatingLog(log, limits) if log else None
        self._process = subprocess.Popen(  # noqa: S603 - a list, no shell
            bound_to_us(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE if rotating else subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(env or {})},
            start_new_session=True,
        )
        self._copying: threading.Thread | None = None
        if rotating is not None:
            assert self._process.stdout is not None
            arguments = (self._process.stdout, rotating)
            self._copying = threading.Thread(target=_copy, args=arguments, name=f"{name}.log", daemon=True)
            self._copying.start()

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """None while it runs; negative: the signal that ended it."""
        return self._process.poll()

    def ask_to_stop(self) -> None:
        """SIGTERM. Does nothing if it has ended."""
        self._process.terminate()

    def kill(self) -> None:
        """SIGKILL to it and to everything that it started, and wait for its end."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._flush()

    def wait(self, timeout_s: float) -> int:
        """Its exit code, once it has ended. Raises subprocess.TimeoutExpired. Blocks."""
        return self._process.wait(timeout_s)

    def stop(self, timeout_s: float) -> None:
        """SIGTERM, and SIGKILL if it has not ended within `timeout_s`. Blocks."""
        self.ask_to_stop()
        try:
            self.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()
        self._flush()

    def last_words(self) -> str:
        """Why it ended, by the end of its log: one line."""
        if self.log is None:
            return ""
        if self.returncode is not None:
            self._flush()
        return last_words(self.log)

    def _flush(self) -> None:
        if self._copying is not None:
            self._copying.join(FLUSH_S)


def _copy(output: IO[bytes], log: RotatingLog) -> None:
    """On a thread of its own, until the process and whatever it started have closed their output."""
    with output:
        while chunk := os.read(output.fileno(), 65_536):
            log.write(chunk)
    log.close()
