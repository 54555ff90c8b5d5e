"""What the embedded broker and Redis share: a child process on loopback, at a free port, waited for and always stopped.

Both come as binaries inside Python packages, so that nobody has to install a server to try a line.
"""

import socket
import struct
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

from andon.errors import FatalError
from deploy.local.child import Child

HOST = "127.0.0.1"
START_S = 10.0
STOP_S = 5.0
ATTEMPTS = 3
"""Between finding a free port and listening on it another process can take it."""


class Server:
    """Starts on entering (blocks until it answers, some 100 ms), stops on leaving. Raises FatalError if it can't."""

    start_s = START_S
    """How long it may take to answer."""

    def __init__(self, name: str, log_dir: Path | None, port: int | None) -> None:
        """`port`: taken if it is free, else another one is."""
        self._name = name
        self._preferred = port
        self.log = log_dir / f"{name}.log" if log_dir else None
        self._child: Child | None = None
        self.port = 0

    def _command(self, port: int) -> list[str]:
        raise NotImplementedError

    def _answers(self) -> bool:
        """Whether the server at `self.port` speaks its protocol. Raises OSError while nobody listens."""
        raise NotImplementedError

    @property
    def pid(self) -> int:
        assert self._child is not None, "not started"
        return self._child.pid

    @property
    def returncode(self) -> int | None:
        """None while it runs."""
        return self._child.returncode if self._child else None

    def __enter__(self) -> Self:
        if self.log:
            self.log.parent.mkdir(parents=True, exist_ok=True)
        said = ""
        for attempt in range(ATTEMPTS):
            self.port = free_port(0 if attempt else self._preferred or 0)
            self.launch()
            said = self._silent()
            if not said:
                return self
        raise FatalError(f"the embedded {self._name} did not start: {said}")

    def restart(self) -> None:
        """Start it again at the same port, after a kill -9 if it still runs. Raises FatalError if it can't."""
        self.kill()
        self.launch()
        self.wait()

    def launch(self) -> None:
        """Start it at `self.port` without waiting for it: servers of a cluster need each other."""
        self._child = Child(self._name, self._command(self.port), self.log, {"RUST_LOG": "warn"})

    def wait(self) -> None:
        """Until it answers. Raises FatalError, having killed it, if it does not."""
        if said := self._silent():
            raise FatalError(f"the embedded {self._name} did not start: {said}")

    def kill(self) -> None:
        """As a power cut would."""
        if self._child is not None:
            self._child.kill()

    def _silent(self) -> str:
        """Why it does not answer at `self.port`; empty when it does."""
        assert self._child is not None, "launched"
        if _becomes_true(self._is_up, self.start_s):
            return ""
        self._child.kill()
        return self._child.log_tail() or "it said nothing"

    def __exit__(self, *exc: object) -> None:
        if self._child is not None:
            self._child.stop(STOP_S)

    def _is_up(self) -> bool | None:
        """None: it never will be, for it has ended."""
        assert self._child is not None
        if self._child.returncode is not None:
            return None
        try:
            return self._answers()
        except OSError:
            return False


def free_port(preferred: int = 0) -> int:
    """A TCP port on loopback that was free a moment ago: `preferred` if that is one."""
    with socket.socket() as probe:
        # what lingers of a server that ended is no hindrance
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, preferred))
        except OSError:
            probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def exchange(port: int, ask: bytes, size: int) -> bytes:
    """Send `ask`, return the first `size` bytes of the answer. Raises OSError."""
    with socket.create_connection((HOST, port), timeout=1.0) as connection:
        connection.sendall(ask)
        answer = b""
        while len(answer) < size and (more := connection.recv(size - len(answer))):
            answer += more
    return answer


def _becomes_true(check: Callable[[], bool | None], timeout_s: float) -> bool:
    """Whether `check` turned True in time; None from it ends the waiting."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        answer = check()
        if answer is not False:
            return bool(answer)
        time.sleep(0.01)
    return False


def speaks_kafka(port: int) -> bool:
    """Whether a Kafka broker answers there. Raises OSError while nobody listens."""
    # ApiVersions v0 without a client id; the answer begins with its length and our number (Kafka protocol guide)
    ask = struct.pack(">hhih", 18, 0, 7, -1)
    return exchange(port, struct.pack(">i", len(ask)) + ask, 8)[4:] == struct.pack(">i", 7)


def answers(port: int) -> bool:
    """Whether somebody listens there."""
    try:
        socket.create_connection((HOST, port), timeout=1.0).close()
    except OSError:
        return False
    return True
