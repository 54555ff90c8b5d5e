"""Apache Kafka for tests, one node or three, from any distribution that ANDON_KAFKA_HOME names (only its `libs`)."""

import os
import shutil
import signal
import socket
import subprocess
import time
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

READY_S = 60.0
_LOG4J = """Configuration:
  appenders: {Console: {name: out, target: SYSTEM_ERR, PatternLayout: {pattern: "%d %p %m (%c)%n"}}}
  Loggers: {Root: {level: WARN, AppenderRef: {ref: out}}}
"""


def missing() -> str | None:
    """What a test needs and this machine lacks, or None."""
    home = os.environ.get("ANDON_KAFKA_HOME")
    if not home:
        return "set ANDON_KAFKA_HOME to a Kafka distribution (4.x) to run this on Apache Kafka"
    if not any(Path(home, "libs").glob("kafka-server-*.jar")):
        return f"ANDON_KAFKA_HOME={home}: no libs/kafka-server-*.jar there"
    return None if shutil.which("java") else "Apache Kafka needs Java 17 or newer: apt-get install default-jre-headless"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass(frozen=True, slots=True)
class Node:
    """One of a cluster's nodes, broker and controller in one."""

    id: int
    port: int
    controller_port: int


class KafkaServer:
    """One KRaft node on loopback; its folder is kept, so that it can be killed and started again.

    `others`: the rest of its cluster. `settings` are added to the node's own.
    """

    def __init__(
        self,
        folder: Path,
        node: Node | None = None,
        others: Sequence[Node] = (),
        cluster_id: str | None = None,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self._folder = folder
        self.node = node or Node(1, free_port(), free_port())
        self._voters = sorted([self.node, *others], key=lambda voter: voter.id)
        self._cluster_id = cluster_id or _cluster_id()
        self._settings = dict(settings or {})
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def bootstrap_servers(self) -> str:
        return f"127.0.0.1:{self.node.port}"

    @property
    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Returns when it takes connections."""
        self.launch()
        self.wait_until_it_listens()

    def launch(self) -> None:
        """Start, and do not wait: the nodes of a cluster need each other."""
        config = self._folder / "server.properties"
        if not config.exists():
            self._folder.mkdir(parents=True, exist_ok=True)
            config.write_text(self._properties())
            (self._folder / "log4j2.yaml").write_text(_LOG4J)
            format_ = ["kafka.tools.StorageTool", "format", "--cluster-id", self._cluster_id, "--config", str(config)]
            format_ += self._format_options()
            subprocess.run(self._java("-Xmx128m", *format_), check=True, capture_output=True, timeout=READY_S)
        log = (self._folder / "kafka.log").open("ab")
        self._process = subprocess.Popen(
            self._java("-Xms128m", "-Xmx384m", "kafka.Kafka", str(config)), stdout=log, stderr=log
        )
        log.close()

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """SIGKILL is a power cut."""
        if self._process is None:
            return
        self._process.send_signal(how)
        self._process.send_signal(signal.SIGCONT)  # a frozen one would not end
        try:
            self._process.wait(20)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def kill(self) -> None:
        self.stop(signal.SIGKILL)

    def freeze(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.stop()

    def _java(self, *arguments: str) -> list[str]:
        libs = Path(os.environ["ANDON_KAFKA_HOME"], "libs")
        log4j = f"-Dlog4j2.configurationFile={self._folder / 'log4j2.yaml'}"
        quick = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Djava.awt.headless=true", log4j]
        return ["java", "-cp", f"{libs}/*", *quick, *arguments]

    def _format_options(self) -> list[str]:
        """What else the folder is formatted with; for servers that need it (accounts)."""
        return []

    def wait_until_it_listens(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + READY_S
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise RuntimeError(f"Kafka ended at once: {(self._folder / 'kafka.log').read_text()[-2000:]}")
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.node.port)) == 0:
                    return
            time.sleep(0.1)
        raise RuntimeError(f"Kafka was not ready within {READY_S:.0f} s")

    def _properties(self) -> str:
        node, replicas = self.node, len(self._voters)
        in_sync = 2 if replicas > 1 else 1
        settings = {
            "node.id": str(self.node.id),
            "process.roles": "broker,controller",
            "controller.quorum.voters": ",".join(f"{v.id}@127.0.0.1:{v.controller_port}" for v in self._voters),
            "listeners": f"PLAINTEXT://127.0.0.1:{node.port},CONTROLLER://127.0.0.1:{node.controller_port}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{node.port}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "controller.listener.names": "CONTROLLER",
            "inter.broker.listener.name": "PLAINTEXT",
            "log.dirs": str(self._folder / "data"),
            "auto.create.topics.enable": "false",
            "offsets.topic.num.partitions": "4",
            "offsets.topic.replication.factor": str(replicas),
            "transaction.state.log.replication.factor": str(replicas),
            "transaction.state.log.min.isr": str(in_sync),
            "default.replication.factor": str(replicas),
            "min.insync.replicas": str(in_sync),
            "controller.quorum.election.timeout.ms": "500",
            "controller.quorum.fetch.timeout.ms": "1000",
            "replica.fetch.max.bytes": "16777216",
            "log.retention.check.interval.ms": "2000",
            "log.cleaner.dedupe.buffer.size": "8388608",
            "group.initial.rebalance.delay.ms": "0",
            "group.min.session.timeout.ms": "1000",
            "message.max.bytes": "16777216",
            "broker.session.timeout.ms": "4000",
            "broker.heartbeat.interval.ms": "500",
            "num.network.threads": "2",
            "num.io.threads": "4",
        }
        return "".join(f"{key}={value}\n" for key, value in (settings | self._settings).items())


class KafkaCluster:
    """Three nodes: what is written is on two of them, so that one may go; with two gone nothing is taken."""

    def __init__(self, folder: Path) -> None:
        nodes = [Node(number, free_port(), free_port()) for number in (1, 2, 3)]
        cluster_id = _cluster_id()
        self.servers = {
            node.id: KafkaServer(folder / str(node.id), node, [o for o in nodes if o is not node], cluster_id)
            for node in nodes
        }
        self._stack = ExitStack()

    @property
    def bootstrap_servers(self) -> str:
        return ",".join(server.bootstrap_servers for server in self.servers.values())

    def start(self) -> None:
        """Those that do not run; returns when all take connections."""
        idle = [server for server in self.servers.values() if not server.running]
        for server in idle:
            server.launch()
        for server in idle:
            server.wait_until_it_listens()

    def __enter__(self) -> Self:
        for server in self.servers.values():
            self._stack.callback(server.kill)
        with self._stack.pop_all() as started:
            self.start()
            self._stack = started.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stack.close()


def _cluster_id() -> str:
    return urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
