"""A line whose roles run on hosts that are apart. Each process bears the name of its host."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from andon.events import silent
from andon.settings import KafkaSettings
from andon.stream.clients import admin, consumer, started
from andon.stream.offsets import Partition
from tests.e2e.line import READY_S, Host
from tests.faults.hosts.namespace import Namespace
from tests.faults.hosts.network import Network
from tests.faults.hosts.servers import HostedCluster, HostedRedis
from tests.faults.recording import CAMERAS, Encoding
from tests.faults.rig import Rig

BROKERS = ("broker-1", "broker-2", "broker-3")
INGESTERS = dict(zip(("ingest-1", "ingest-2"), CAMERAS, strict=True))
"""The camera that each of these hosts captures."""
WORKERS = ("worker-1", "worker-2")
SINK = "sink"
"""Has the store and Redis."""
HOSTS = (*BROKERS, *INGESTERS, *WORKERS, SINK)
MAILBOX = 16
"""So small that frames go to the spool at once."""


@dataclass(frozen=True, slots=True)
class RemoteHost(Host):
    """A namespace, with a disk of its own for the spool."""

    namespace: Namespace = field(kw_only=True)

    def inside(self) -> AbstractContextManager[None]:
        return self.namespace.inside()


@dataclass(frozen=True, slots=True)
class Plant:
    """What a farm stands on."""

    network: Network
    cluster: HostedCluster
    redis: HostedRedis


class Farm(Rig):
    """Two ingesters with a camera each, two workers, a sink; `lossless`, on three brokers."""

    def __init__(self, folder: Path, kafka: KafkaSettings, plant: Plant, cache: Path, encoding: Encoding) -> None:
        super().__init__(folder, kafka, plant.redis.settings, cache, encoding)
        self.network, self.cluster, self.redis = plant.network, plant.cluster, plant.redis

    def host(self, name: str) -> Host:
        place = name if name in HOSTS else SINK
        namespace = self.network.hosts[place]
        disk = {"ANDON_SPOOL__FOLDER": str(self.folder / f"spool of {place}")}
        return RemoteHost(namespace.prefix, disk, namespace=namespace)

    def run_line(self, videos: Mapping[str, Path]) -> None:
        """Start all roles. Returns when frames of both cameras are being inspected."""
        self.play(videos, mailbox_frames=MAILBOX)
        self.start_together({SINK: ["sink"]} | {name: ["work"] for name in WORKERS})
        self.start_together({name: self.ingesting(name) for name in INGESTERS})
        self.wait_for(lambda: all(self.inspected_of(camera) > 5 for camera in CAMERAS), READY_S, "both cameras' frames")

    @staticmethod
    def ingesting(host: str) -> list[str]:
        return ["ingest", "--once", "--camera", INGESTERS[host]]

    def start_together(self, commands: Mapping[str, Sequence[str]]) -> None:
        for name, command in commands.items():
            self.start(name, *command, ready=False)
        for name in commands:
            self.wait_for(lambda name=name: self.probe(name)[0] == 200, READY_S, f"{name} to be ready")  # type: ignore[misc]

    def finish_all(self) -> None:
        """Wait until the cameras have come to their ends and everything is published."""
        for name in INGESTERS:
            assert self.finish(name, 120) == 0

    def inspected_of(self, camera: str) -> int:
        tally = self.account().cameras.get(camera)
        return tally.inspected if tally else 0

    def waiting(self, host: str) -> float:
        """Records in the spool of an ingest host."""
        return self.gauge(host, "andon_ingest_spool_depth_records")

    def worker_of(self, camera: str) -> str:
        """The host that has inspected this camera's frames; both have if partitions moved, then the busier one."""
        metric = f'andon_workers_frames_inspected_total{{camera="{camera}"'
        counts = {name: self._value(name, metric) for name in WORKERS}
        return max(counts, key=lambda name: counts[name])

    def ingester_of(self, camera: str) -> str:
        """The ingest host that has captured most frames of this camera."""
        metric = f'andon_ingest_frames_captured_total{{camera="{camera}"'
        counts = {name: self._value(name, metric) for name in INGESTERS}
        return max(counts, key=lambda name: counts[name])

    def newest_session(self, camera: str) -> str:
        """Of those that the account has; they are named by their beginnings."""
        return max(session for name, session in self.sessions() if name == camera)

    def _value(self, name: str, metric: str) -> float:
        lines = [line for line in self.metrics(name).splitlines() if line.startswith(metric)]
        return sum(float(line.rsplit(" ", 1)[1]) for line in lines)

    def leader(self) -> str:
        """The host of the broker that leads a partition which has frames."""
        with self.host(SINK).inside():
            return self.cluster.host_of(asyncio.run(_leader(self.kafka)))

    # ---- hosts that fail

    def power_off(self, host: str) -> None:
        """Everything that runs on it ends at once, and nobody at the other end of a connection hears of it."""
        self.network.power_off(host)
        # what has been killed is awaited
        if host in self._processes:
            self.kill(host)
        if host in self.cluster.servers:
            self.cluster.servers[host].kill()
        if host == SINK:
            self.redis.kill()

    def power_on(self, host: str, *role: str) -> None:
        """Boot it with the disk that it had; then start its role, if it has one."""
        self.network.power_on(host)
        if role:
            self.start(host, *role, ready=False)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        super().__exit__(kind, error, at)
        self.network.heal()


async def _leader(kafka: KafkaSettings) -> int:
    async with started(lambda: consumer(kafka, None), kafka, silent) as client:
        ends = await client.end_offsets([Partition(kafka.frames_topic, number) for number in range(kafka.partitions)])
    used = {item.partition for item, end in ends.items() if end > 0}
    async with started(lambda: admin(kafka), kafka, silent) as client:
        (described,) = await client.describe_topics([kafka.frames_topic])
    return next(int(item["leader"]) for item in described["partitions"] if item["partition"] in used)
