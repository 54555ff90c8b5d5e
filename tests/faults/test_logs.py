"""A broker loses the end of its logs under a running line: it goes on, and what is gone is lost to the frame."""

import asyncio
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka.admin import NewTopic
from aiokafka.errors import KafkaError

from andon.events import silent
from andon.settings import RedisSettings, Settings
from andon.stream.clients import admin, started
from andon.stream.topics import line_topics
from tests import kafka_server
from tests.conftest import kafka_settings
from tests.faults.conftest import ReportRecovery, quick
from tests.faults.recording import Encoding
from tests.faults.rig import SETTLE_S, Rig
from tests.kafka_server import KafkaCluster, KafkaServer

UNREAD = 30
"""Frames at least that are in the log, and not inspected, when it is lost."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[KafkaServer]:
    if reason := kafka_server.missing():
        pytest.skip(reason)
    with KafkaServer(tmp_path / "kafka") as server:
        yield server


@pytest.fixture
def line(tmp_path: Path, server: KafkaServer, valkey: RedisSettings, models: Path, encoding: Encoding) -> Iterator[Rig]:
    kafka = quick(kafka_settings(server.bootstrap_servers, embedded=False))
    with Rig(tmp_path, kafka, valkey, models, encoding) as rig:
        yield rig


def captured(rig: Rig) -> float:
    return rig.gauge("ingest", "andon_ingest_frames_captured_total")


def start(rig: Rig, videos: dict[str, Path]) -> None:
    rig.play(videos, loop=True)
    rig.start("sink", "sink")
    rig.start("worker", "work")
    rig.start("ingest", "ingest")
    rig.wait_inspected(60)


def test_the_only_broker_comes_back_with_the_disk_of_earlier(
    line: Rig, server: KafkaServer, videos: dict[str, Path], report_recovery: ReportRecovery
) -> None:
    start(line, videos)
    server.take_snapshot()
    line.wait_inspected(line.inspected() + 40)
    line.signal("worker", signal.SIGSTOP)
    enough = captured(line) + 2 * UNREAD  # some are under way to the broker, or fetched already
    line.wait_for(lambda: captured(line) >= enough, SETTLE_S, "frames that nobody reads")
    server.restore_snapshot()
    line.signal("worker", signal.SIGCONT)
    report_recovery(line.wait_inspected(line.inspected() + 20), "inspections, after the broker's start")
    lost_to_the_frame(line)
    for name in ("worker", "sink"):
        assert "event=log.cut" in line.whole_log(name)
        assert line.stop(name) == 0, "it has never died"


LEADER, FOLLOWER, THIRD = 1, 2, 3


async def make_topics(rig: Rig) -> None:
    """Each partition on two of three nodes, and any of them may lead, whatever it lacks."""
    names = line_topics(Settings(kafka=rig.kafka))
    careless = {
        "unclean.leader.election.enable": "true",
        "min.insync.replicas": "1",
        "message.timestamp.type": "LogAppendTime",
        "max.message.bytes": "8100000",
    }
    on_two = {number: [LEADER, FOLLOWER] for number in range(2)}
    async with started(lambda: admin(rig.kafka), rig.kafka, silent) as client:
        compacted = {rig.kafka.cameras_topic: careless | {"cleanup.policy": "compact"}}
        topics = [
            NewTopic(name, -1, -1, replica_assignments=on_two, topic_configs=compacted.get(name, careless))
            for name in names
        ]
        await client.create_topics(topics)


async def replicas_in_sync(rig: Rig) -> set[int]:
    try:
        async with started(lambda: admin(rig.kafka), rig.kafka, silent) as client:
            described = await client.describe_topics([rig.kafka.frames_topic, rig.kafka.inspections_topic])
    except KafkaError:  # it asked the node that has just died
        return set()
    return {node for topic in described for partition in topic["partitions"] for node in partition["isr"]}


def test_a_replica_leads_that_lacks_the_end_of_the_log(
    rig_of_three: Rig, cluster: KafkaCluster, videos: dict[str, Path], report_recovery: ReportRecovery
) -> None:
    line = rig_of_three
    asyncio.run(make_topics(line))
    start(line, videos)
    cluster.servers[FOLLOWER].kill()
    line.wait_for(lambda: asyncio.run(replicas_in_sync(line)) == {LEADER}, SETTLE_S, "one replica in sync")
    line.wait_inspected(line.inspected() + 40)
    line.signal("worker", signal.SIGSTOP)
    enough = captured(line) + 2 * UNREAD  # some are under way to the broker, or fetched already
    line.wait_for(lambda: captured(line) >= enough, SETTLE_S, "frames that nobody reads")
    cluster.servers[LEADER].kill()
    cluster.servers[FOLLOWER].start()
    line.signal("worker", signal.SIGCONT)
    report_recovery(line.wait_inspected(line.inspected() + 20), "inspections, after the other replica's start")
    cluster.servers[LEADER].start()
    lost_to_the_frame(line)
    assert "event=log.cut" in line.whole_log("ingest")
    for name in ("worker", "sink"):
        assert line.stop(name) == 0, "it has never died"


def lost_to_the_frame(line: Rig) -> None:
    """A frame that is not inspected went with the log. A frame of video may only need one that did. The audit fails."""
    assert line.stop("ingest") == 0
    line.settle()
    report = line.audit()
    ledger = report["ledger"]
    assert ledger["lost"] >= UNREAD
    assert ledger["captured"] == ledger["inspected"] + ledger["lost"] + ledger["quarantined"]
    assert (ledger["duplicates"], ledger["shed"]) == (0, 0)
    reasons = set().union(*(camera["quarantined"] for camera in report["cameras"]))
    assert reasons <= ({"unproven"} if line.encoding == "auto" else set())
    assert [list(camera["lost"]) for camera in report["cameras"]] == [["log_lost"]] * 2
    assert all(camera["conflicts"] == 0 for camera in report["cameras"])
    assert report["balanced"]
    line.run("audit", code=1)
    assert len(line.alert_ids()) == len(set(line.alert_ids()))
