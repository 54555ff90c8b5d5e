"""Andon's roles as real processes over a run's servers: started, marked (CPU and /metrics) and always stopped."""

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
"""The first worker of a machine exports the model."""
STOP_S = 30.0
POLL_S = 0.05
_THREAD_LIMITS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")

Samples = Mapping[str, float]
"""`name` or `name{label=value,...}` (labels sorted) -> value; and the sum over its labels under the bare name."""


def environment() -> dict[str, str]:
    """Ours without limits to threads: every contender chooses for itself. ultralytics stays off the network."""
    kept = {name: value for name, value in os.environ.items() if name not in _THREAD_LIMITS}
    return kept | {"YOLO_OFFLINE": "1", "YOLO_AUTOINSTALL": "false", "YOLO_VERBOSE": "false"}


def document(folder: Path, kafka: KafkaSettings, redis: RedisSettings) -> dict[str, Any]:
    """The line.yaml of a line with the demo's model and no cameras yet, as a plain document to be changed."""
    return {
        "line": "bench",
        "kafka": kafka.model_dump(mode="json", exclude_defaults=True),
        "redis": {"url": redis.url.get_secret_value(), "prefix": redis.prefix},
        "pools": {"default": {"model": {"weights": str(MODEL), "confidence": CONFIDENCE}}},
        "defects": {"ignore": ["part"]},
        "sinks": {"store": f"sqlite:///{folder / 'andon.db'}", "evidence": {"url": str(folder / "evidence")}},
        "spool": {"folder": str(folder / "spool")},
        "cameras": [],
    }


class Roles:
    """`with Roles(folder, document) as roles:` processes of one line; each is killed at the end if it still runs.

    `folder` is new and absolute; line.yaml and the logs lie there.
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
        """As the roles read them."""
        return load(self.config)

    def create_topics(self) -> None:
        """Those of line.yaml that are missing. Blocks; not for use in an event loop."""
        asyncio.run(ensure_topics(self.settings, silent))

    def start(self, name: str, *command: str, whole: Sequence[str] | None = None, ready: bool = True) -> None:
        """`andon COMMAND... -c line.yaml` as `name` (unique). `whole`: this command line instead, as it is.

        Waits until it is ready, unless told not to; raises FatalError, with its last words, if it never is.
        """
        port = free_port()
        line = list(whole) if whole is not None else [*andon(*command), "-c", str(self.config)]
        env = environment() | {"ANDON_HTTP__HOST": HOST, "ANDON_HTTP__PORT": str(port)}
        self._children[name] = Child(name, line, self.folder / f"{name}.log", env)
        self._ports[name] = port
        if ready:
            self.until(lambda: self.is_ready(name), READY_S, f"{name} to be ready")

    def is_ready(self, name: str) -> bool:
        """Whether it says so: as a member of its group, its model loaded."""
        return self._status(name, "readyz") == 200

    def pid(self, name: str) -> int:
        return self._children[name].pid

    def pids(self) -> dict[str, int]:
        """By name, for `cpu.mark`."""
        return {name: child.pid for name, child in self._children.items()}

    def metrics(self, name: str) -> Samples:
        """What its /metrics says now. It costs that process some ms: scrape at marks, not all the time."""
        with urllib.request.urlopen(f"http://{HOST}:{self._ports[name]}/metrics", timeout=10) as answer:
            return samples(answer.read().decode())

    def until(self, reached: Callable[[], bool], timeout_s: float, what: str, poll_s: float = POLL_S) -> None:
        """Poll until `reached`. Raises FatalError after `timeout_s`, or where a process has failed meanwhile."""
        deadline = time.monotonic() + timeout_s
        while not reached():
            self.check()
            if time.monotonic() > deadline:
                said = "; ".join(f"{name}: {child.log_tail()}" for name, child in self._children.items())
                raise FatalError(f"waited {timeout_s:.0f} s for {what}: {said}")
            time.sleep(poll_s)

    def check(self) -> None:
        """Raises FatalError where a process has failed."""
        for name, child in self._children.items():
            if child.returncode not in (None, 0):
                raise FatalError(f"{name} ended with {child.returncode}: {child.log_tail()}")

    def stop(self, name: str) -> int | None:
        """As an orchestrator does; returns its exit code. Blocks until it has ended."""
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
    """Prometheus' text format, read. See Samples."""
    values: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            values[sample.name] = values.get(sample.name, 0.0) + sample.value
            if sample.labels:
                labels = ",".join(f"{name}={value}" for name, value in sorted(sample.labels.items()))
                values[f"{sample.name}{{{labels}}}"] = sample.value
    return values
