"""The base of the embedded servers: a child process on loopback, at a free port, awaited and always stopped.

Broker and Redis come as binaries inside Python packages, so that nobody has to install a server to try a line.
"""

import socket
import struct
import time
from collections import deque
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from andon.errors import FatalError
from deploy.local.child import Child
from deploy.local.rotating_log import LIMITS, LogLimits

HOST = "127.0.0.1"
START_S = 10.0
STOP_S = 5.0
_given: deque[int] = deque(maxlen=64)
"""The ports that `free_port` named last."""
ATTEMPTS = 3
"""Starts, each at another port: another process can take a free port before the server listens on it."""


class Server:
    """Starts on entering (blocks until it answers, some 100 ms), stops on leaving. Raises FatalError if it fails."""

    start_s = START_S
    """Seconds until it must answer."""

    def __init__(self, name: str, log_dir: Path | None, port: int | None, limits: LogLimits = LIMITS) -> None:
        """`port` is the preferred one; if it is taken, another one serves."""
        self._name = name
        self._preferred = port
        self.log = log_dir / f"{name}.log" if log_dir else None
        self._limits = limits
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

    @property
    def last_words(self) -> str:
        """Why it ended, and where its log lies, in one line. Blocks for a moment."""
        words = self._child.last_words() if self._child is not None else ""
        return f"{words or 'it wrote nothing'} (its log: {self.log})"

    def __enter__(self) -> Self:
        if self.log:
            self.log.parent.mkdir(parents=True, exist_ok=True)
        failure = ""
        for attempt in range(ATTEMPTS):
            self._choose_ports(0 if attempt else self._preferred or 0)
            self.launch()
            failure = self._await_answer()
            if not failure:
                return self
        raise FatalError(f"the embedded {self._name} did not start: {failure}")

    def _choose_ports(self, preferred: int) -> None:
        """Set `port`, to `preferred` if that is free. A server that listens on more ports chooses them here as well."""
        self.port = free_port(preferred)

    def restart(self) -> None:
        """Start it again at the same port, after SIGKILL if it still runs. Raises FatalError if it does not start."""
        self.kill()
        self.launch()
        self.wait()

    def launch(self) -> None:
        """Start it at `self.port` and don't wait: the servers of a cluster need each other."""
        self._child = Child(self._name, self._command(self.port), self.log, {"RUST_LOG": "warn"}, self._limits)

    def wait(self) -> None:
        """Wait until it answers. If it does not, kill it and raise FatalError."""
        if failure := self._await_answer():
            raise FatalError(f"the embedded {self._name} did not start: {failure}")

    def kill(self) -> None:
        """SIGKILL, as a power cut."""
        if self._child is not None:
            self._child.kill()

    def _await_answer(self) -> str:
        """Wait until it answers at `self.port`. Returns why it does not; empty if it does."""
        assert self._child is not None, "launched"
        if _becomes_true(self._is_up, self.start_s):
            return ""
        self._child.kill()
        return self.last_words

    def __exit__(self, *exc: object) -> None:
        if self._child is not None:
            self._child.stop(STOP_S)

    def _is_up(self) -> bool | None:
        """None: it has ended, so it never will be."""
        assert self._child is not None
        if self._child.returncode is not None:
            return None
        try:
            return self._answers()
        except OSError:
            return False


def free_port(preferred: int = 0) -> int:
    """A TCP port on loopback that was free a moment ago: `preferred` if possible, else none of those given lately.

    What asks for it listens somewhat later, and meanwhile the kernel may name the same port once more.
    """
    while True:
        with socket.socket() as probe:
            # connections that linger from a server that has ended don't matter
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, preferred))
            except OSError:
                probe.bind((HOST, 0))
            port = int(probe.getsockname()[1])
        if port == preferred or port not in _given:
            _given.append(port)
            return port


def free_ports(count: int) -> list[int]:
    """TCP ports on loopback that were free a moment ago, all different: one by one the same may come twice."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind((HOST, 0))
        return [int(probe.getsockname()[1]) for probe in probes]


def exchange(port: int, request: bytes, size: int) -> bytes:
    """Send `request`, return the first `size` bytes of the response. Raises OSError."""
    with socket.create_connection((HOST, port), timeout=1.0) as connection:
        connection.sendall(request)
        response = b""
        while len(response) < size and (more := connection.recv(size - len(response))):
            response += more
    return response


def _becomes_true(check: Callable[[], bool | None], timeout_s: float) -> bool:
    """Poll `check` until it is True; False after `timeout_s`, or when it returns None."""
    deadline = time.monotonic() + timeout_s
    while time.monotonic() < deadline:
        result = check()
        if result is not False:
            return bool(result)
        time.sleep(0.01)
    return False


def speaks_kafka(port: int) -> bool:
    """Whether a Kafka broker answers there. Raises OSError while nobody listens."""
    # ApiVersions v0 without a client id; the response begins with its length and our number (Kafka protocol guide)
    request = struct.pack(">hhih", 18, 0, 7, -1)
    return exchange(port, struct.pack(">i", len(request)) + request, 8)[4:] == struct.pack(">i", 7)


def answers(port: int) -> bool:
    """Whether somebody listens there."""
    try:
        socket.create_connection((HOST, port), timeout=1.0).close()
    except OSError:
        return False
    return True
