"""Brokers die: ingest holds what cameras deliver and says so, and everything goes on when there is a broker."""

import asyncio
import time
from collections import Counter
from pathlib import Path

from andon.events import silent
from andon.kafka import admin, started
from tests.faults.conftest import Recovered
from tests.faults.recording import Recording
from tests.faults.rig import Rig
from tests.kafka_server import KafkaCluster, KafkaServer

AWAY_S = 3.0


def run_line(rig: Rig, videos: dict[str, Path]) -> None:
    """Cameras that play for ten seconds."""
    rig.play(videos)
    rig.start("sink", "sink")
    rig.start("worker", "work")
    rig.start("ingest", "ingest", "--once")


def leader(rig: Rig) -> int:
    """The node that leads most partitions of the frames."""

    async def ask() -> int:
        async with started(lambda: admin(rig.kafka), rig.kafka, silent) as client:
            (described,) = await client.describe_topics([rig.kafka.frames_topic])
        return Counter(int(item["leader"]) for item in described["partitions"]).most_common(1)[0][0]

    return asyncio.run(ask())


def test_the_only_broker_killed_and_restarted(
    rig: Rig, node: KafkaServer, recording: Recording, videos: dict[str, Path], recovered: Recovered
) -> None:
    run_line(rig, videos)
    rig.wait_inspected(60)
    node.kill()
    time.sleep(AWAY_S)
    before, since = rig.inspected(), time.monotonic()
    node.start()
    rig.wait_inspected(before + 20)
    recovered(time.monotonic() - since, "inspections, the broker's own start included")
    assert rig.finish("ingest") == 0
    assert "event=retry" in rig.log("ingest")
    rig.wait_for_all(recording)


def test_the_leader_of_three_brokers_killed(
    rig_of_three: Rig, cluster: KafkaCluster, recording: Recording, videos: dict[str, Path], recovered: Recovered
) -> None:
    rig = rig_of_three
    run_line(rig, videos)
    rig.wait_inspected(60)
    victim = leader(rig)
    cluster.servers[victim].kill()
    before = rig.inspected()
    recovered(rig.wait_inspected(before + 40), "inspections, on the two that are left")
    assert rig.finish("ingest") == 0
    rig.wait_for_all(recording)


def test_two_of_three_brokers_killed_and_one_restarted(
    rig_of_three: Rig, cluster: KafkaCluster, recording: Recording, videos: dict[str, Path], recovered: Recovered
) -> None:
    rig = rig_of_three
    run_line(rig, videos)
    rig.wait_inspected(60)
    victim = leader(rig)
    other = next(number for number in cluster.servers if number != victim)
    cluster.servers[victim].kill()
    cluster.servers[other].kill()
    rig.wait_for(lambda: "no acknowledgement" in rig.log("ingest"), 30, "ingest to say that nothing is taken")
    before, since = rig.inspected(), time.monotonic()
    cluster.servers[other].start()
    rig.wait_inspected(before + 20)
    recovered(time.monotonic() - since, "inspections, on two of three, a broker's start included")
    assert rig.finish("ingest") == 0
    rig.wait_for_all(recording)
