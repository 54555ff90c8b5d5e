"""Brokers die: ingest holds what cameras deliver and says so, and everything goes on when there is a broker."""

import asyncio
import time
from collections import Counter
from pathlib import Path

from andon.events import silent
from andon.messages import Frame
from andon.stream.clients import admin, started
from andon.wire import decode
from tests.faults.conftest import ReportRecovery
from tests.faults.recording import FRAMES, Recording, read_all
from tests.faults.rig import Rig
from tests.kafka_server import KafkaCluster, KafkaServer

AWAY_S = 3.0
MINUTE_S = 60.0
MAILBOX = 16
"""So small that frames go to disk at once."""


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
    rig: Rig, node: KafkaServer, recording: Recording, videos: dict[str, Path], report_recovery: ReportRecovery
) -> None:
    run_line(rig, videos)
    rig.wait_inspected(60)
    node.kill()
    time.sleep(AWAY_S)
    before, since = rig.inspected(), time.monotonic()
    node.start()
    rig.wait_inspected(before + 20)
    report_recovery(time.monotonic() - since, "inspections, the broker's own start included")
    assert rig.finish("ingest") == 0
    assert "event=retry" in rig.whole_log("ingest")
    rig.wait_for_all(recording)


def test_the_leader_of_three_brokers_killed(
    rig_of_three: Rig,
    cluster: KafkaCluster,
    recording: Recording,
    videos: dict[str, Path],
    report_recovery: ReportRecovery,
) -> None:
    rig = rig_of_three
    run_line(rig, videos)
    rig.wait_inspected(60)
    victim = leader(rig)
    cluster.servers[victim].kill()
    before = rig.inspected()
    report_recovery(rig.wait_inspected(before + 40), "inspections, on the two that are left")
    assert rig.finish("ingest") == 0
    rig.wait_for_all(recording)


def test_two_of_three_brokers_killed_and_one_restarted(
    rig_of_three: Rig,
    cluster: KafkaCluster,
    recording: Recording,
    videos: dict[str, Path],
    report_recovery: ReportRecovery,
) -> None:
    rig = rig_of_three
    run_line(rig, videos)
    rig.wait_inspected(60)
    victim = leader(rig)
    other = next(number for number in cluster.servers if number != victim)
    cluster.servers[victim].kill()
    cluster.servers[other].kill()
    rig.wait_for(lambda: "no acknowledgement" in rig.whole_log("ingest"), 30, "ingest to say that nothing is taken")
    before, since = rig.inspected(), time.monotonic()
    cluster.servers[other].start()
    rig.wait_inspected(before + 20)
    report_recovery(time.monotonic() - since, "inspections, on two of three, a broker's start included")
    assert rig.finish("ingest") == 0
    rig.wait_for_all(recording)


def test_a_broker_away_for_a_minute_costs_a_lossless_camera_nothing(
    rig: Rig, node: KafkaServer, recording: Recording, slow_videos: dict[str, Path], report_recovery: ReportRecovery
) -> None:
    rig.play(slow_videos, mailbox_frames=MAILBOX)
    rig.start("sink", "sink")
    rig.start("worker", "work")
    rig.start("ingest", "ingest", "--once")
    rig.wait_inspected(10)
    node.kill()
    time.sleep(MINUTE_S)
    assert "event=spool.filling" in rig.whole_log("ingest")
    assert rig.gauge("ingest", "andon_ingest_spool_depth_records") > MAILBOX
    before, since = rig.inspected(), time.monotonic()
    node.start()
    rig.wait_inspected(before + 20)
    report_recovery(time.monotonic() - since, "inspections, the broker's own start included")
    rig.wait_for(lambda: rig.gauge("ingest", "andon_ingest_spool_depth_records") == 0, 60, "the spool to be empty")
    report_recovery(time.monotonic() - since, "everything that was spooled is in Kafka")
    assert rig.finish("ingest") == 0
    rig.wait_for_all(recording)
    numbers = [(frame.camera_id, frame.seq) for frame in asyncio.run(logged(rig))]
    assert all(numbers.count(number) == 1 for number in numbers)
    for camera in slow_videos:
        assert [seq for name, seq in numbers if name == camera] == list(range(FRAMES))


async def logged(rig: Rig) -> list[Frame]:
    """The frames in the order of each partition."""
    messages = [decode(record) for record in await read_all(rig.kafka, rig.kafka.frames_topic)]
    return [message for message in messages if isinstance(message, Frame)]


def test_a_spool_that_is_full_costs_frames_which_are_told_and_in_the_account(
    rig: Rig, node: KafkaServer, videos: dict[str, Path], report_recovery: ReportRecovery
) -> None:
    rig.document["spool"] = {"max_bytes": 400_000}
    rig.play(videos, mailbox_frames=MAILBOX, loop=True)
    rig.start("sink", "sink")
    rig.start("worker", "work")
    rig.start("ingest", "ingest")
    rig.wait_inspected(20)
    node.kill()
    rig.wait_for(lambda: "event=spool.full" in rig.whole_log("ingest"), 60, "the spool to be full")
    time.sleep(AWAY_S)
    assert rig.gauge("ingest", "andon_ingest_spool_full") == 2
    before, since = rig.inspected(), time.monotonic()
    node.start()
    rig.wait_inspected(before + 20)
    report_recovery(time.monotonic() - since, "inspections, the broker's own start included")
    rig.wait_for(lambda: rig.gauge("ingest", "andon_ingest_spool_full") == 0, 60, "the spool to have room")
    assert rig.stop("ingest") == 0
    rig.settle()
    report = rig.audit()
    assert report["balanced"]
    assert (report["ledger"]["lost"], report["ledger"]["duplicates"], report["ledger"]["quarantined"]) == (0, 0, 0)
    assert report["ledger"]["shed"] > 0
    assert all(set(camera["shed"]) <= {"spool_full"} for camera in report["cameras"])
    assert len(rig.alert_ids()) == len(set(rig.alert_ids()))
