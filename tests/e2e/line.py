"""A line whose roles are real processes, with a given broker and Redis. All of them are ended, whatever happens."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml
from sqlalchemy import NullPool, create_engine
from sqlalchemy.exc import SQLAlchemyError

from andon.clock import SystemClock
from andon.settings import KafkaSettings, RedisSettings
from sinks.audit import Audit, audit_of
from sinks.circumstances import Circumstances
from sinks.store import queries
from sinks.store.stored import StoredAccounts
from tests.kafka_server import free_port

REPOSITORY = Path(__file__).resolve().parents[2]
CLIPS = REPOSITORY / "sample_streams" / "clips"
MODEL = REPOSITORY / "sample_streams" / "models" / "andon-demo.pt"
READY_S = 90.0
"""The first worker exports the model."""
MOST_MB = 1200.0
"""Upper limit of what a role of a test's line needs at any time."""


def read_store(store: Path) -> StoredAccounts:
    """The content of a line's SQLite store."""
    with create_engine(f"sqlite:///{store}", poolclass=NullPool).begin() as connection:
        return queries.everything(connection)


def account(store: Path) -> Audit:
    """The audit of a store without asking the broker. It starts no process, so it is fit for polling."""
    return audit_of(read_store(store), Circumstances(SystemClock().now(), None, 3.0))


def inspected(store: Path) -> int:
    """Frames that the sink has accounted for as inspected; 0 while there is no store yet."""
    try:
        return account(store).total.inspected if store.exists() else 0
    except SQLAlchemyError:
        return 0  # its tables are not there yet


@dataclass(frozen=True, slots=True)
class Host:
    """Where a process runs: this machine, unless a test makes hosts of its own."""

    prefix: Sequence[str] = ()
    """The beginning of a command that runs there."""
    environ: Mapping[str, str] = field(default_factory=dict)

    def inside(self) -> AbstractContextManager[None]:
        """The sockets that are opened in this context are the host's."""
        return nullcontext()


HERE = Host()


class Line:
    """`start` and `kill` roles by a name that the test chooses; `audit` and `wait_for` read their results."""

    def __init__(self, folder: Path, kafka: KafkaSettings, redis: RedisSettings, cache: Path) -> None:
        self._folder = folder
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._ports: dict[str, int] = {}
        self.config = folder / "line.yaml"
        self.document: dict[str, Any] = {
            "kafka": kafka.model_dump(mode="json", exclude_defaults=True),
            "redis": {"url": redis.url.get_secret_value(), "prefix": redis.prefix},
            "pools": {"default": {"model": {"weights": str(MODEL), "cache": str(cache)}}},
            "defects": {"ignore": ["part"]},
            "sinks": {
                "store": f"sqlite:///{folder / 'andon.db'}",
                "evidence": {"url": str(folder / "evidence")},
            },
            "cameras": [],
        }

    def write(self, cameras: Sequence[dict[str, Any]] = ()) -> None:
        """Write line.yaml and create its topics."""
        self.document["cameras"] = list(cameras)
        self.config.write_text(yaml.safe_dump(self.document))
        self.run("topics", "create")

    def host(self, name: str) -> Host:
        """The host of the process that bears this name in the test; of a command that is run, by the command's name."""
        return HERE

    def run(self, *command: str, code: int | None = 0) -> str:
        """Run a command to its end, return what it printed. `code` None takes any exit code, if it printed anything."""
        words = self._command(*command, host=self.host(command[0]))
        done = subprocess.run(words, check=False, capture_output=True, text=True, timeout=60, cwd=self._folder)
        if done.returncode != code and (code is not None or not done.stdout):
            raise AssertionError(f"andon {' '.join(command)}: exit {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout

    def start(self, name: str, *command: str, ready: bool = True, **environ: str) -> None:
        host = self.host(name)
        with host.inside():
            port = free_port()
        log = (self._folder / f"{name}.log").open("ab")
        environ = os.environ | host.environ | {"ANDON_HTTP__PORT": str(port)} | environ
        self._processes[name] = subprocess.Popen(
            self._command(*command, host=host), stdout=log, stderr=log, env=environ, cwd=self._folder
        )
        log.close()
        self._ports[name] = port
        if ready:
            self.wait_for(lambda: self.probe(name)[0] == 200, READY_S, f"{name} to be ready")

    def signal(self, name: str, number: signal.Signals) -> None:
        self._processes[name].send_signal(number)

    def kill(self, name: str) -> None:
        """SIGKILL, as a power cut."""
        process = self._processes.pop(name)
        process.kill()
        process.wait()

    def finish(self, name: str, timeout_s: float = 60) -> int:
        """Wait for a process to end by itself; returns its exit code."""
        return self._processes.pop(name).wait(timeout_s)

    def stop(self, name: str) -> int:
        """SIGTERM, as an orchestrator sends; returns the exit code."""
        self.signal(name, signal.SIGTERM)
        return self.finish(name)

    def audit(self) -> dict[str, Any]:
        report: dict[str, Any] = json.loads(self.run("audit", "--json", code=None))
        return report

    def account(self) -> Audit:
        return account(self._folder / "andon.db")

    def inspected(self) -> int:
        return inspected(self._folder / "andon.db")

    def metrics(self, name: str) -> str:
        url = f"http://127.0.0.1:{self._ports[name]}/metrics"
        with self.host(name).inside(), urllib.request.urlopen(url, timeout=60) as answer:
            return str(answer.read().decode())

    def probe(self, name: str, path: str = "readyz") -> tuple[int, str]:
        """The status and text of /readyz or /livez; 0 if the process does not answer."""
        url = f"http://127.0.0.1:{self._ports[name]}/{path}"
        try:
            with self.host(name).inside(), urllib.request.urlopen(url, timeout=60) as answer:
                return int(answer.status), answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError as error:
            return 0, str(error)

    def wait_for(self, reached: Callable[[], bool], timeout_s: float, what: str) -> None:
        deadline = time.monotonic() + timeout_s
        while not reached():
            for name, process in self._processes.items():
                if process.poll() is not None and process.returncode != 0:
                    raise AssertionError(f"{name} ended with {process.returncode}: {self.log(name)}")
            if time.monotonic() > deadline:
                logs = "\n".join(f"--- {name}\n{self.log(name)}" for name in self._ports)
                raise AssertionError(f"waited {timeout_s:.0f} s for {what}\n{logs}")
            time.sleep(0.2)

    def log(self, name: str) -> str:
        return (self._folder / f"{name}.log").read_text()[-3000:]

    def whole_log(self, name: str) -> str:
        """All that a process has logged."""
        return (self._folder / f"{name}.log").read_text()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        peaks = {name: _peak_mb(process.pid) for name, process in self._processes.items()}
        for process in self._processes.values():
            process.kill()
        for process in self._processes.values():
            process.wait()
        if kind is None:
            assert max(peaks.values(), default=0) < MOST_MB, peaks

    def _command(self, *command: str, host: Host = HERE) -> list[str]:
        return [*host.prefix, sys.executable, "-m", "andon", *command, "-c", str(self.config)]


def _peak_mb(pid: int) -> float:
    """Largest resident memory of the process; 0 if the system does not say, or it has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    peaks = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(peaks[0]) / 1000 if peaks else 0.0
