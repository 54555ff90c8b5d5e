"""A network namespace of Linux as a host: its own interfaces, addresses, ports and connections."""

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

NAMED = Path("/run/netns")
"""Where `ip netns` keeps the names."""
COMMAND_S = 20.0
CLONE_NEWNET = 0x40000000
_PREFIX = "andon-"
"""Of the names. The process that made the namespace follows, so that what a killed run left is found."""


def missing() -> str | None:
    """Why this machine can't make hosts; None: it can."""
    if sys.platform != "linux" or os.geteuid() != 0:
        return "hosts that are apart are network namespaces of Linux, which takes root"
    if lacking := [tool for tool in ("ip", "tc", "nsenter") if shutil.which(tool) is None]:
        return f"hosts that are apart take {', '.join(lacking)}: apt-get install iproute2 util-linux"
    tried = Namespace(name_of("try"))
    try:
        tried.create()
    except RuntimeError as error:
        return f"this machine makes no network namespaces: {error}"
    tried.delete()
    return None


def name_of(host: str) -> str:
    return f"{_PREFIX}{os.getpid()}-{host}"


def ip(*words: str, namespace: str = "") -> str:
    """Run `ip` of iproute2, in `namespace` if one is given. Raises RuntimeError with its message."""
    return run("ip", *(["-n", namespace] if namespace else []), *words)


def run(*command: str) -> str:
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=COMMAND_S)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


class Namespace:
    """Made by `create`, with a loopback that is up. `delete` ends every process in it."""

    def __init__(self, name: str) -> None:
        self.name = name

    @property
    def prefix(self) -> list[str]:
        """Begins a command that runs in it. The process keeps the id that the command is started with."""
        return [str(shutil.which("nsenter")), f"--net={NAMED / self.name}"]

    @property
    def exists(self) -> bool:
        return (NAMED / self.name).exists()

    def create(self) -> None:
        ip("netns", "add", self.name)
        ip("link", "set", "dev", "lo", "up", namespace=self.name)

    @contextmanager
    def inside(self) -> Iterator[None]:
        """The sockets that this thread opens here are the namespace's."""
        with Path("/proc/thread-self/ns/net").open() as home, (NAMED / self.name).open() as there:
            _enter(there.fileno())
            try:
                yield
            finally:
                _enter(home.fileno())

    def pids(self) -> list[int]:
        return [int(pid) for pid in ip("netns", "pids", self.name).split()]

    def kill_all(self) -> None:
        """SIGKILL to all of its processes, as a power cut."""
        deadline = time.monotonic() + COMMAND_S
        while pids := [pid for pid in self.pids() if _runs(pid)]:
            for pid in pids:
                _kill(pid)
            if time.monotonic() > deadline:
                raise RuntimeError(f"{self.name}: the processes {pids} do not end")
            time.sleep(0.02)

    def delete(self) -> None:
        """With it go its interfaces and its connections; nobody at their other ends hears of it."""
        self.kill_all()
        ip("netns", "del", self.name)


def delete_left_over() -> Sequence[str]:
    """Delete the namespaces of runs that were killed; returns their names."""
    names = [line.split()[0] for line in ip("netns", "list").splitlines() if line.startswith(_PREFIX)]
    stale = [name for name in names if not _runs(int(name.removeprefix(_PREFIX).split("-", 1)[0]))]
    for name in stale:
        Namespace(name).delete()
    return stale


def _enter(descriptor: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(descriptor, CLONE_NEWNET):  # os.setns comes with Python 3.12
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


def _runs(pid: int) -> bool:
    """Whether it exists and is more than an ended process that its parent has not yet waited for."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass  # it has ended by itself
