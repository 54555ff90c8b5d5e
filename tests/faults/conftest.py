"""Real parts for faults: Apache Kafka with one node or three, Redis, the roles; and the run without a fault."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast, get_args

import pytest

from andon.settings import KafkaSettings, RedisSettings
from tests import kafka_server
from tests.conftest import kafka_settings
from tests.faults.recording import FRAMES, Encoding, Recording, clips, frames_of
from tests.faults.recovery import Recoveries
from tests.faults.rig import Rig
from tests.kafka_server import KafkaCluster, KafkaServer

SESSION_S = 4.0
"""After which a silent member of a group is taken for dead."""
_RECOVERIES = pytest.StashKey[Recoveries]()
_TABLE = pytest.StashKey[Path]()

ReportRecovery = Callable[[float, str], None]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.faults)
            item.add_marker(pytest.mark.timeout(300), append=False)


@pytest.fixture(scope="session")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    if reason := kafka_server.missing():
        pytest.skip(reason)
    with KafkaServer(tmp_path_factory.mktemp("node")) as server:
        yield server


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaCluster]:
    if reason := kafka_server.missing():
        pytest.skip(reason)
    with KafkaCluster(tmp_path_factory.mktemp("cluster")) as servers:
        yield servers


@pytest.fixture
def kafka(node: KafkaServer) -> KafkaSettings:
    """The only broker, up again if the test before has killed it; topics of the test's own."""
    if not node.running:
        node.start()
    return quick(kafka_settings(node.bootstrap_servers, embedded=False))


@pytest.fixture
def replicated_kafka(cluster: KafkaCluster) -> KafkaSettings:
    """Three brokers, all up; topics on each of them."""
    cluster.start()
    settings = quick(kafka_settings(cluster.bootstrap_servers, embedded=False))
    return settings.model_copy(update={"replication": 3})


def quick(settings: KafkaSettings) -> KafkaSettings:
    return settings.model_copy(
        update={"session_timeout_s": SESSION_S, "request_timeout_s": 5.0, "start_timeout_s": 60.0}
    )


@pytest.fixture(scope="session")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model is exported once for all tests."""
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="session")
def videos(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return clips(tmp_path_factory.mktemp("clips"))


@pytest.fixture(scope="session")
def slow_videos(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same pictures over a minute and more."""
    return clips(tmp_path_factory.mktemp("slow"), slower=8)


@pytest.fixture(scope="session", params=get_args(Encoding))
def encoding(request: pytest.FixtureRequest) -> Encoding:
    """How the cameras' pictures travel: every line meets its fault once with each. `-k auto` selects one."""
    return cast(Encoding, request.param)


@pytest.fixture
def rig(tmp_path: Path, kafka: KafkaSettings, valkey: RedisSettings, models: Path, encoding: Encoding) -> Iterator[Rig]:
    with Rig(tmp_path, kafka, valkey, models, encoding) as rig:
        yield rig


@pytest.fixture
def rig_of_three(
    tmp_path: Path, replicated_kafka: KafkaSettings, valkey: RedisSettings, models: Path, encoding: Encoding
) -> Iterator[Rig]:
    with Rig(tmp_path, replicated_kafka, valkey, models, encoding) as rig:
        yield rig


@pytest.fixture(scope="session")
def recording(
    tmp_path_factory: pytest.TempPathFactory,
    node: KafkaServer,
    valkey_url: str,
    models: Path,
    videos: dict[str, Path],
    encoding: Encoding,
) -> Recording:
    """The run without a fault: its frames, to be published again, and its events."""
    settings = quick(kafka_settings(node.bootstrap_servers, embedded=False))
    redis = RedisSettings.model_validate({"url": valkey_url, "prefix": settings.group_prefix})
    with Rig(tmp_path_factory.mktemp("recording"), settings, redis, models, encoding) as rig:
        rig.play(videos, pace="fast")
        rig.start("sink", "sink")
        rig.start("worker", "work")
        rig.start("ingest", "ingest", "--once", ready=False)
        assert rig.finish("ingest") == 0
        rig.wait_inspected(2 * FRAMES)
        assert rig.stop("sink") == 0  # it sends what is in the outbox
        report = rig.audit()["ledger"]
        assert report["captured"] == report["inspected"] == 2 * FRAMES
        steps = rig.steps()
        assert len(rig.alert_ids()) == len(steps) > 4
        frames = asyncio.run(frames_of(settings))
        assert len(frames) == 2 * FRAMES
        return Recording(frames, steps)


@pytest.fixture
def report_recovery(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> ReportRecovery:
    """Say how many seconds after this fault what was back."""
    config = request.config
    recoveries = config.stash.setdefault(_RECOVERIES, Recoveries())
    config.stash[_TABLE] = tmp_path_factory.getbasetemp() / "recovery.md"
    fault = request.node.name.removeprefix("test_").replace("_", " ")

    def say(seconds: float, what: str) -> None:
        recoveries.add(fault, seconds, what)

    return say


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    recoveries = config.stash.get(_RECOVERIES, None)
    if recoveries is None or not recoveries.rows:
        return
    recoveries.write(config.stash[_TABLE])
    terminalreporter.section(f"recovery times ({config.stash[_TABLE]})")
    terminalreporter.write_line(recoveries.table())
