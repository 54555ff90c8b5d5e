"""Real servers for tests: started once a session, on loopback and free ports, and always stopped."""

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from PIL import Image

from andon.settings import KafkaSettings, RedisSettings
from deploy.local.broker import EmbeddedBroker
from deploy.local.redis import EmbeddedRedis
from tests import kafka_server
from tests.scheduling import pytest_collection_modifyitems, pytest_xdist_make_scheduler

__all__ = ["pytest_collection_modifyitems", "pytest_xdist_make_scheduler"]
_numbers = itertools.count(1)

# torch's threads spin while they wait for each other. With several test processes on a few cores they take the CPU from
# the thread that they wait for, and a test takes four times as long. OpenMP reads this when torch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


# Workers of tests serve a .pt as its runtime chooses: a measurement would take a minute, and choose by the load.
os.environ.setdefault("ANDON_WORKER__TUNE_TIMEOUT_S", "0")

# On a busy machine an example may take any time, and so may the drawing of it: neither says anything of the code.
hypothesis.settings.register_profile("andon", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("andon")

_OPEN_IMAGE = Image.open


@pytest.fixture(autouse=True)
def plain_pillow() -> None:
    """ultralytics, where a test imports it by itself, puts an `open` into Pillow that installs packages; undo that."""
    Image.open = _OPEN_IMAGE


@pytest.fixture(scope="session")
def embedded_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with EmbeddedBroker(tmp_path_factory.mktemp("broker")) as server:
        yield server.bootstrap_servers


@pytest.fixture(scope="session")
def apache_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if reason := kafka_server.missing():
        pytest.skip(reason)
    with kafka_server.KafkaServer(tmp_path_factory.mktemp("kafka")) as server:
        yield server.bootstrap_servers


@pytest.fixture(params=["embedded", "apache"])
def broker(request: pytest.FixtureRequest) -> KafkaSettings:
    """A running broker, with names of topics and groups that no other test uses. The topics do not exist yet."""
    embedded = request.param == "embedded"
    servers = request.getfixturevalue("embedded_broker" if embedded else "apache_kafka")
    return kafka_settings(servers, embedded=embedded)


def kafka_settings(bootstrap_servers: str, *, embedded: bool) -> KafkaSettings:
    prefix = f"t{next(_numbers)}"
    topics = {f"{name}_topic": f"{prefix}.{name}" for name in _TOPICS}
    return KafkaSettings(
        bootstrap_servers=bootstrap_servers,
        idempotent=not embedded,
        group_prefix=prefix,
        partitions=4,
        session_timeout_s=6.0,
        start_timeout_s=20.0,
        **topics,
    )


_TOPICS = ("frames", "inspections", "defects", "quarantine", "cameras", "alarms")


@pytest.fixture(scope="session")
def model_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of exported models. All processes of a run share it, so that each export is made once."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent  # each process has a folder of its own below it
    cache = folder / "models"
    cache.mkdir(exist_ok=True)
    return cache


@pytest.fixture(scope="session")
def valkey_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with EmbeddedRedis(tmp_path_factory.mktemp("valkey")) as server:
        yield server.url


@pytest.fixture
def valkey(valkey_url: str) -> RedisSettings:
    """A running Valkey, with a key prefix that no other test uses."""
    return RedisSettings(url=valkey_url, prefix=f"t{next(_numbers)}")
