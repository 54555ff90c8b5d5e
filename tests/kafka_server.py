"""Apache Kafka for tests, one node or three, from the `libs` of the distribution that ANDON_KAFKA_HOME names."""

import os
import shutil
import signal
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from deploy.local import kafka
from deploy.local.kafka import ApacheKafka, new_cluster_id
from deploy.local.server import HOST, free_port, free_ports

__all__ = ["READY_S", "KafkaCluster", "KafkaServer", "free_port", "missing"]
READY_S = ApacheKafka.start_s
STOP_S = 20.0


def missing() -> str | None:
    """The reason why Apache Kafka can't run on this machine, or None."""
    home = os.environ.get("ANDON_KAFKA_HOME")
    if not home:
        return "set ANDON_KAFKA_HOME to a Kafka distribution (4.x) to run this on Apache Kafka"
    return kafka.missing(Path(home))


@dataclass(frozen=True, slots=True)
class Node:
    """A node of a cluster: broker and controller in one."""

    id: int
    port: int
    controller_port: int


class KafkaServer(ApacheKafka):
    """One node that a test can kill, freeze and start again at the same port."""

    def __init__(self, folder: Path) -> None:
        super().__init__(Path(os.environ["ANDON_KAFKA_HOME"]), folder, folder)

    @property
    def running(self) -> bool:
        return self._child is not None and self._child.returncode is None

    def start(self) -> None:
        """Start it. Returns when it accepts connections."""
        self.launch()
        self.wait()

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End it; SIGKILL stands for a power cut."""
        if not self.running:
            return
        assert self._child is not None
        if how == signal.SIGKILL:
            self._child.kill()
            return
        self.thaw()  # a frozen process would not end
        self._child.stop(STOP_S)

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def freeze(self) -> None:
        os.kill(self.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        os.kill(self.pid, signal.SIGCONT)

    def take_snapshot(self) -> None:
        """Copy what the disk holds after a power cut, and start again."""
        self.kill()
        shutil.rmtree(self._snapshot, ignore_errors=True)
        shutil.copytree(self._folder / "data", self._snapshot)
        self.start()

    def restore_snapshot(self) -> None:
        """Start with the disk as it was at `take_snapshot`: everything after it is gone."""
        self.kill()
        shutil.rmtree(self._folder / "data")
        shutil.copytree(self._snapshot, self._folder / "data")
        self.start()

    @property
    def _snapshot(self) -> Path:
        return self._folder / "snapshot"

    def _settings(self, port: int) -> dict[str, str]:
        return super()._settings(port) | {
            "controller.quorum.election.timeout.ms": "500",
            "controller.quorum.fetch.timeout.ms": "1000",
            "log.retention.check.interval.ms": "2000",
            "log.cleaner.dedupe.buffer.size": "8388608",
            "group.min.session.timeout.ms": "1000",
            "num.network.threads": "2",
            "num.io.threads": "4",
        }


class ClusterNode(KafkaServer):
    """One of several nodes that know each other's ports."""

    def __init__(self, folder: Path, node: Node, voters: Sequence[Node], cluster_id: str) -> None:
        super().__init__(folder)
        self.port = node.port
        self._id = node.id
        self._controller_port = node.controller_port
        self._cluster_id = cluster_id
        self._voters = voters

    def _settings(self, port: int) -> dict[str, str]:
        replicas = str(len(self._voters))
        return super()._settings(port) | {
            "node.id": str(self._id),
            "controller.quorum.voters": ",".join(f"{v.id}@{HOST}:{v.controller_port}" for v in self._voters),
            "offsets.topic.replication.factor": replicas,
            "transaction.state.log.replication.factor": replicas,
            "transaction.state.log.min.isr": "2",
            "default.replication.factor": replicas,
            "min.insync.replicas": "2",
            "replica.fetch.max.bytes": "16777216",
        }


class KafkaCluster:
    """Three nodes. Each record is on two of them, so one node may be away; with two away nothing is accepted."""

    def __init__(self, folder: Path) -> None:
        ports = free_ports(6)
        nodes = [Node(number, *ports[2 * number - 2 : 2 * number]) for number in (1, 2, 3)]
        cluster_id = new_cluster_id()
        self.servers = {node.id: ClusterNode(folder / str(node.id), node, nodes, cluster_id) for node in nodes}
        self._stack = ExitStack()

    @property
    def bootstrap_servers(self) -> str:
        return ",".join(server.bootstrap_servers for server in self.servers.values())

    def start(self) -> None:
        """Start the nodes that do not run. Returns when all accept connections."""
        idle = [server for server in self.servers.values() if not server.running]
        for server in idle:
            server.launch()
        for server in idle:
            server.wait()

    def __enter__(self) -> Self:
        for server in self.servers.values():
            self._stack.callback(server.kill)
        with self._stack.pop_all() as started:
            self.start()
            self._stack = started.pop_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stack.close()
