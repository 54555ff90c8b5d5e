"""Andon's roles as real processes on a run's servers: start, stop, and read their pids and /metrics."""

import asyncio
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import yaml
from prometheus_client.parser import text_string_to_metric_families

from andon.config import load
from andon.errors import FatalError
from andon.events import silent
from andon.settings import KafkaSettings, RedisSettings, Settings
from andon.stream.topics import ensure_topics
from bench.harness.clips import CONFIDENCE, MODEL
from deploy.local.child import Child
from deploy.local.line import andon
from deploy.local.server import HOST, free_port

READY_S = 120.0
"""Long, since the first worker on a machine exports the model."""
STOP_S = 30.0
POLL_S = 0.05
_THREAD_LIMITS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")

Samples = Mapping[str, float]
"""`name{label=value,...}` (labels sorted) -> value. The bare `name` has the value, or the sum over all labels."""


def environment() -> dict[str, str]:
    """This process's, without limits on threads: a contender chooses for itself. Keeps ultralytics off the network."""
    kept = {name: value for name, value in os.environ.items() if name not in _THREAD_LIMITS}
    return kept | {"YOLO_OFFLINE": "1", "YOLO_AUTOINSTALL": "false", "YOLO_VERBOSE": "false"}


def line_document(folder: Path, kafka: KafkaSettings, redis: RedisSettings) -> dict[str, Any]:
    """A line.yaml with the demo's model and without cameras, as a plain document that the caller may change."""
    return {
        "line": "bench",
        "kafka": kafka.model_dump(mode="json", exclude_defaults=True),
        "redis": {"url": redis.url.get_secret_value(), "prefix": redis.prefix},
        "pools": {"default": {"model": {"weights": str(MODEL), "confidence": CONFIDENCE}}},
        "worker": {"tune_timeout_s": 0},  # `harness.tuned` has measured before
        "defects": {"ignore": ["part"]},
        "sinks": {"store": f"sqlite:///{folder / 'andon.db'}", "evidence": {"url": str(folder / "evidence")}},
        "spool": {"folder": str(folder / "spool")},
        "cameras": [],
    }


class Roles:
    """The processes of one line: `with Roles(folder, document) as roles:`. Kills those that still run at the end.

    `folder` is new and absolute; it gets line.yaml and the logs.
    """

    def __init__(self, folder: Path, document: Mapping[str, Any]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.config = folder / "line.yaml"
        self.config.write_text(yaml.safe_dump(dict(document), sort_keys=False), encoding="utf-8")
        self._children: dict[str, Child] = {}
        self._ports: dict[str, int] = {}

    @property
    def settings(self) -> Settings:
        """The settings that the roles read."""
        return load(self.config)

    def create_topics(self) -> None:
        """Create the topics of line.yaml that are missing. Blocks; don't call it in an event loop."""
        asyncio.run(ensure_topics(self.settings, silent))

    def start(self, name: str, *command: str, whole: Sequence[str] | None = None, ready: bool = True) -> None:
        """Start `andon COMMAND... -c line.yaml` under the unique `name`, or the command line `whole` in its place.

        With `ready`, waits for it. Raises FatalError with the last line of its log if it does not get ready.
        """
        port = free_port()
        line = list(whole) if whole is not None else [*andon(*command), "-c", str(self.config)]
        env = environment() | {"ANDON_HTTP__HOST": HOST, "ANDON_HTTP__PORT": str(port)}
        self._children[name] = Child(name, line, self.folder / f"{name}.log", env)
        self._ports[name] = port
        if ready:
            self.until(lambda: self.is_ready(name), READY_S, f"{name} to be ready")

    def start_line(self) -> None:
        """Start sinks and worker, at the same time, and ingest once they are ready."""
        self.start("sinks", "sink", ready=False)
        self.start("worker", "work", ready=False)
        self.until(lambda: self.is_ready("sinks") and self.is_ready("worker"), READY_S, "sinks and worker to be ready")
        self.start("ingest", "ingest")

    def is_ready(self, name: str) -> bool:
        """Whether /readyz says that it has joined its group and loaded its model."""
        return self._status(name, "readyz") == 200

    def pid(self, name: str) -> int:
        return self._children[name].pid

    def pids(self) -> dict[str, int]:
        """The pids by name, for `cpu.mark`."""
        return {name: child.pid for name, child in self._children.items()}

    def metrics(self, name: str) -> Samples:
        """Read its /metrics. That costs the process some ms, so read seldom."""
        with urllib.request.urlopen(f"http://{HOST}:{self._ports[name]}/metrics", timeout=10) as answer:
            return samples(answer.read().decode())

    def until(self, reached: Callable[[], bool], timeout_s: float, what: str, poll_s: float = POLL_S) -> None:
        """Poll until `reached`. Raises FatalError after `timeout_s`, or if a process fails meanwhile."""
        deadline = time.monotonic() + timeout_s
        while not reached():
            self.check()
            if time.monotonic() > deadline:
                last = "; ".join(f"{name}: {child.last_words()}" for name, child in self._children.items())
                raise FatalError(f"waited {timeout_s:.0f} s for {what}: {last}")
            time.sleep(poll_s)

    def check(self) -> None:
        """Raises FatalError if a process has failed."""
        for name, child in self._children.items():
            if child.returncode not in (None, 0):
                raise FatalError(f"{name} ended with {child.returncode}: {child.last_words()}")

    def stop(self, name: str) -> int | None:
        """Stop it as an orchestrator does. Blocks until it has ended; returns its exit code."""
        child = self._children.pop(name)
        child.stop(STOP_S)
        return child.returncode

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for child in self._children.values():
            child.kill()
        self._children.clear()

    def _status(self, name: str, path: str) -> int:
        try:
            with urllib.request.urlopen(f"http://{HOST}:{self._ports[name]}/{path}", timeout=5) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            error.close()
            return error.code
        except OSError:
            return 0


def samples(text: str) -> dict[str, float]:
    """Parse Prometheus' text format."""
    values: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            values[sample.name] = values.get(sample.name, 0.0) + sample.value
            if sample.labels:
                labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
                values[f"{sample.name}{{{labels}}}"] = sample.value
    return values
