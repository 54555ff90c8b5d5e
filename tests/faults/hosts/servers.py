"""Kafka's nodes and Redis, each on a host of its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from deploy.local.kafka import new_cluster_id
from tests.faults.hosts.namespace import Namespace
from tests.faults.hosts.network import Network
from tests.kafka_server import ClusterNode, Node
from tests.redis_server import RedisWith

PORT, CONTROLLER_PORT, REDIS_PORT = 9092, 9093, 6379


@dataclass(frozen=True, slots=True)
class Place:
    """A host and its address."""

    host: Namespace
    address: str


class HostedNode(ClusterNode):
    """A node whose clients and peers come over the network. Its quorum has the patience of Kafka's defaults."""

    def __init__(self, folder: Path, node: Node, places: Sequence[Place], cluster_id: str) -> None:
        nodes = [Node(number, PORT, CONTROLLER_PORT) for number, _ in enumerate(places, 1)]
        super().__init__(folder, node, nodes, cluster_id)
        self._places = places
        self.place = places[node.id - 1]

    @property
    def bootstrap_servers(self) -> str:
        return f"{self.place.address}:{PORT}"

    def _command(self, port: int) -> list[str]:
        return [*self.place.host.prefix, *super()._command(port)]

    def _answers(self) -> bool:
        with self.place.host.inside():
            return super()._answers()

    def _settings(self, port: int) -> dict[str, str]:
        peers = [f"{number}@{place.address}:{CONTROLLER_PORT}" for number, place in enumerate(self._places, 1)]
        settings = super()._settings(port) | {
            # the first on every address of the host, so that the test can ask at loopback
            "listeners": f"PLAINTEXT://0.0.0.0:{port},CONTROLLER://{self.place.address}:{CONTROLLER_PORT}",
            "advertised.listeners": f"PLAINTEXT://{self.place.address}:{port}",
            "controller.quorum.voters": ",".join(peers),
        }
        for patience in ("election", "fetch"):
            del settings[f"controller.quorum.{patience}.timeout.ms"]
        return settings


class HostedCluster:
    """Three nodes. Each record is on two of them, so one host may be away; with two away nothing is accepted."""

    def __init__(self, folder: Path, network: Network, hosts: Sequence[str]) -> None:
        places = [Place(network.hosts[host], network.address(host)) for host in hosts]
        cluster_id = new_cluster_id()
        self.servers = {
            host: HostedNode(folder / host, Node(number, PORT, CONTROLLER_PORT), places, cluster_id)
            for number, host in enumerate(hosts, 1)
        }

    @property
    def bootstrap_servers(self) -> str:
        return ",".join(server.bootstrap_servers for server in self.servers.values())

    def host_of(self, node: int) -> str:
        return list(self.servers)[node - 1]

    def start(self) -> None:
        """Start the nodes that do not run. Returns when all accept connections."""
        idle = [server for server in self.servers.values() if not server.running]
        for server in idle:
            server.launch()
        for server in idle:
            server.wait()

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        for server in self.servers.values():
            server.kill()


class HostedRedis(RedisWith):
    """A Redis that writes each change to its disk: an alert that it has acknowledged outlives the host's power."""

    def __init__(self, place: Place, folder: Path) -> None:
        folder.mkdir()
        lasting = ["--appendonly", "yes", "--appendfsync", "always"]
        super().__init__("--bind", "0.0.0.0", "--protected-mode", "no", *lasting, folder=folder)
        self.place = place
        self.port = REDIS_PORT

    @property
    def url(self) -> str:
        return f"redis://{self.place.address}:{REDIS_PORT}/0"

    def _command(self, port: int) -> list[str]:
        return [*self.place.host.prefix, *super()._command(port)]

    def _answers(self) -> bool:
        with self.place.host.inside():
            return super()._answers()
