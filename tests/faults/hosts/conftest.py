"""The plant: eight hosts at a switch, Kafka on three of them, Redis on the sink's."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from andon.settings import KafkaSettings
from tests import kafka_server
from tests.conftest import kafka_settings
from tests.faults.conftest import quick
from tests.faults.hosts import namespace
from tests.faults.hosts.farm import BROKERS, HOSTS, SINK, Farm, Plant
from tests.faults.hosts.network import Network
from tests.faults.hosts.servers import HostedCluster, HostedRedis, Place
from tests.faults.recording import Encoding, clips

SLOWER = 2
"""Each clip takes twenty seconds, so that a fault meets the middle of it."""


@pytest.fixture(scope="package")
def network() -> Iterator[Network]:
    if reason := namespace.missing():
        pytest.skip(reason)
    with Network(HOSTS) as network:
        yield network


@pytest.fixture(scope="package")
def hosted_cluster(tmp_path_factory: pytest.TempPathFactory, network: Network) -> Iterator[HostedCluster]:
    if reason := kafka_server.missing():
        pytest.skip(reason)
    with HostedCluster(tmp_path_factory.mktemp("hosts"), network, BROKERS) as cluster:
        yield cluster


@pytest.fixture
def hosted_kafka(hosted_cluster: HostedCluster) -> KafkaSettings:
    """Three brokers, all up, with topics of the test's own on each of them."""
    hosted_cluster.start()
    settings = quick(kafka_settings(hosted_cluster.bootstrap_servers, embedded=False))
    return settings.model_copy(update={"replication": 3})


@pytest.fixture
def hosted_redis(network: Network, tmp_path: Path) -> Iterator[HostedRedis]:
    server = HostedRedis(Place(network.hosts[SINK], network.address(SINK)), tmp_path / "redis")
    server.start()
    yield server
    server.kill()


@pytest.fixture(scope="session")
def long_clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The clips of the run without a fault, played more slowly."""
    return clips(tmp_path_factory.mktemp("long-clips"), slower=SLOWER)


@pytest.fixture
def farm(
    tmp_path: Path,
    network: Network,
    hosted_cluster: HostedCluster,
    hosted_kafka: KafkaSettings,
    hosted_redis: HostedRedis,
    models: Path,
    encoding: Encoding,
) -> Iterator[Farm]:
    with Farm(tmp_path, hosted_kafka, Plant(network, hosted_cluster, hosted_redis), models, encoding) as farm:
        yield farm
