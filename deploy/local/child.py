"""A process on a leash: in a session of its own, as a Ctrl-C at the terminal is ours to pass on; gone when we are."""

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from deploy.local import parent_death


def bound_to_us(command: Sequence[str]) -> list[str]:
    """`command` (its first word an absolute path) such that it ends with the thread of ours that starts it."""
    return [sys.executable, "-I", "-S", parent_death.__file__, str(os.getpid()), *command]


class Child:
    """One running process; its output goes to a file, or nowhere."""

    def __init__(
        self, name: str, command: Sequence[str], log: Path | None = None, env: Mapping[str, str] | None = None
    ) -> None:
        """Start it. `command[0]` is an absolute path; `env` is added to our own environment.

        Start it from a thread that lives as long as the child shall: on Linux the kernel kills it with that thread.
        Raises OSError where the log can't be written.
        """
        self.name = name
        self.log = log
        with (log or Path(os.devnull)).open("ab") as output:
            self._process = subprocess.Popen(  # noqa: S603 - a list, no shell
                bound_to_us(command),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, **(env or {})},
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def returncode(self) -> int | None:
        """None while it runs; negative: the signal that ended it."""
        return self._process.poll()

    def ask_to_stop(self) -> None:
        """SIGTERM. Does nothing when it has ended."""
        self._process.terminate()

    def kill(self) -> None:
        """SIGKILL to it and to everything that it started, and wait for its end."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def stop(self, timeout_s: float) -> None:
        """Ask, wait so long, then kill. Blocks."""
        self.ask_to_stop()
        try:
            self._process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.kill()

    def log_tail(self) -> str:
        """The end of its log, in one line."""
        return log_tail(self.log) if self.log else ""


def log_tail(log: Path, lines: int = 3) -> str:
    """The end of a log, in one line; empty if there is none."""
    if not log.exists():
        return ""
    text = log.read_text(encoding="utf-8", errors="replace").strip()
    return " | ".join(line.strip() for line in text.splitlines()[-lines:])
