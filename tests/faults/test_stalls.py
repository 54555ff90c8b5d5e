"""A line that does not inspect says so: on /readyz of the process that stands still, in its log, and in the audit.

Each process lives on: /livez stays green, and everything is green again when the cause is gone.
"""

import asyncio
import re
import socket
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from andon.events import silent
from andon.settings import KafkaSettings
from andon.stream.clients import admin, started
from tests.faults.rig import Rig
from tests.kafka_server import KafkaCluster, KafkaServer
from tests.redis_server import MortalRedis

STALLED_S = 6.0
STALL_S = 120.0
"""How long a busy machine may take to notice a stall, and to get over it."""


@pytest.fixture
def rig(rig: Rig) -> Rig:
    rig.document["run"] = {"stalled_s": STALLED_S}
    return rig


@pytest.fixture
def mortal_redis() -> Iterator[MortalRedis]:
    with MortalRedis() as server:
        yield server


def run_line(rig: Rig, videos: dict[str, Path]) -> None:
    """Cameras that deliver for ever."""
    rig.play(videos, loop=True)
    for name, *command in (("sink", "sink"), ("worker", "work"), ("ingest", "ingest")):
        rig.start(name, *command)
    rig.wait_inspected(20)


def wait_red(rig: Rig, name: str, reason: str) -> None:
    rig.wait_for(lambda: re.search(reason, rig.probe(name)[1]) is not None, STALL_S, f"{name} to say {reason!r}")
    code, text = rig.probe(name)
    assert code == 503, text
    assert rig.probe(name, "livez")[0] == 200
    assert "event=work.stalled" in rig.whole_log(name)


def wait_green(rig: Rig, *names: str) -> None:
    for name in names:
        rig.wait_for(lambda name=name: rig.probe(name)[0] == 200, STALL_S, f"{name} to be ready")  # type: ignore[misc]


def fault(rig: Rig) -> str:
    """What `andon audit` says is wrong; empty if it exits with 0."""
    command = rig._command("audit")
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60, cwd=rig.folder)
    assert done.returncode == bool(done.stderr), done.stderr
    return done.stderr


def wait_fault(rig: Rig, reason: str) -> str:
    """The audit's line, as soon as it names `reason`."""
    faults: list[str] = []

    def found() -> bool:
        faults.append(fault(rig))
        return re.search(reason, faults[-1]) is not None

    rig.wait_for(found, STALL_S, f"the audit to say {reason!r}")
    assert faults[-1].count("\n") == 1
    return faults[-1]


def wait_balanced(rig: Rig) -> None:
    rig.wait_for(lambda: not fault(rig), STALL_S, "the audit to find nothing wrong")


def test_a_broker_that_is_away_stalls_every_process_and_none_of_them_died(
    rig: Rig, node: KafkaServer, videos: dict[str, Path]
) -> None:
    run_line(rig, videos)
    node.kill()
    try:
        wait_red(rig, "ingest", "camera press-1 has made no progress for .* frames wait for the broker; .*acknowledge")
        wait_red(rig, "worker", "the (reading of the )?stage workers .* the Kafka client says: ")
        wait_red(rig, "sink", "the (reading of the )?stage sinks .* the Kafka client says: ")
        assert rig.gauge("ingest", "andon_ingest_stalled_seconds") > STALLED_S
        assert rig.gauge("worker", "andon_stage_stalled_seconds") > STALLED_S
        message = wait_fault(rig, "press-1: no frame for .*: the broker does not answer")
        assert "ingester_died" not in message
    finally:
        node.start()
    wait_green(rig, "ingest", "worker", "sink")
    wait_balanced(rig)
    assert "event=work.resumed" in rig.whole_log("ingest")


def test_a_broker_that_refuses_the_frames_shows_in_redis_and_the_ingester_has_not_died(
    rig_of_three: Rig, cluster: KafkaCluster, videos: dict[str, Path]
) -> None:
    """Too few copies are in sync: the broker refuses whoever wants all of them."""
    rig = rig_of_three
    rig.document["run"] = {"stalled_s": STALLED_S}
    run_line(rig, videos)
    asyncio.run(alter(rig.kafka, rig.kafka.frames_topic, {"min.insync.replicas": "3"}))
    cluster.servers[3].kill()
    wait_red(rig, "ingest", "camera press-1 .* frames wait for the broker")
    rig.wait_for(lambda: rig.live("press-1")["state"] == "stalled", STALL_S, "the camera's state in Redis")
    assert "frames wait for the broker" in rig.live("press-1")["detail"]
    message = wait_fault(rig, "press-1: [0-9]+ frames wait for the broker")
    assert "ingester_died" not in message
    assert rig.audit()["ledger"]["lost"] == 0
    assert (rig.probe("worker")[0], rig.probe("sink")[0]) == (200, 200)
    cluster.servers[3].start()
    wait_green(rig, "ingest")
    wait_balanced(rig)
    rig.wait_for(lambda: rig.live("press-1")["state"] == "online", STALL_S, "the camera's state in Redis")


async def alter(kafka: KafkaSettings, topic: str, configs: dict[str, str]) -> None:
    async with started(lambda: admin(kafka), kafka, silent) as client:
        await client.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs)])


def test_a_topic_that_takes_no_picture_stalls_its_cameras(
    rig: Rig, kafka: KafkaSettings, videos: dict[str, Path]
) -> None:
    """Records without pixels are taken, so the broker is no hindrance, and yet nothing is inspected."""
    run_line(rig, videos)
    asyncio.run(alter(kafka, kafka.frames_topic, {"max.message.bytes": "2000"}))
    if rig.encoding == "jpeg":
        wait_red(rig, "ingest", "camera press-1 has made no progress for ")
    else:  # it takes small units, of which none can be decoded without the keyframe
        wait_red(rig, "worker", "the inspection of press-1 has made no progress for .* quarantined as unproven")
    wait_fault(rig, "press-1: ")
    asyncio.run(alter(kafka, kafka.frames_topic, {"max.message.bytes": "9000000"}))
    wait_green(rig, "ingest", "worker")


def test_a_store_that_is_locked_stalls_the_sinks(rig: Rig, videos: dict[str, Path]) -> None:
    run_line(rig, videos)
    with closing(sqlite3.connect(rig.folder / "andon.db", isolation_level=None)) as other:
        other.execute("begin immediate")
        wait_red(rig, "sink", "the stage sinks .*(database is locked|the store)")
        wait_fault(rig, "database is locked|records of .*inspections wait for the group .*sinks")
        assert (rig.probe("worker")[0], rig.probe("ingest")[0]) == (200, 200)
        other.execute("rollback")
    wait_green(rig, "sink")
    wait_balanced(rig)


def test_an_alert_channel_that_is_down_is_named_and_the_account_goes_on(
    rig: Rig, mortal_redis: MortalRedis, videos: dict[str, Path]
) -> None:
    rig.document["redis"] = {"url": mortal_redis.url, "timeout_s": 0.5}
    rig.document["sinks"]["channels"] = {"stack-light": {"type": "redis"}}
    run_line(rig, videos)
    mortal_redis.kill()
    wait_red(rig, "sink", "channel stack-light has made no progress for ")
    assert "the stage sinks" not in rig.probe("sink")[1]
    mortal_redis.start()
    wait_green(rig, "sink")
    wait_balanced(rig)


def test_a_camera_that_takes_the_connection_and_says_nothing_is_named(rig: Rig, videos: dict[str, Path]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        port = mute.getsockname()[1]
        cameras: dict[str, Path | str] = {**videos, "mute": f"rtsp://127.0.0.1:{port}/live"}
        rig.play(cameras, loop=True, open_timeout_s=1.0, hang_grace_s=1.0)
        for name, *command in (("sink", "sink"), ("worker", "work"), ("ingest", "ingest")):
            rig.start(name, *command)
        rig.wait_inspected(20)
        wait_red(rig, "ingest", "camera mute has made no progress for .* the camera is offline: ")
        assert "camera press-1" not in rig.probe("ingest")[1]
        wait_fault(rig, "mute: the camera is offline: ")
        assert rig.live("mute")["state"] == "stalled"


def test_a_line_without_workers_is_not_balanced(rig: Rig, videos: dict[str, Path]) -> None:
    run_line(rig, videos)
    rig.kill("worker")
    wait_fault(rig, "records of .*frames wait for the group .*workers.default, .* it has finished none for ")
    assert rig.audit()["ledger"]["lost"] == 0
    rig.start("worker", "work")
    wait_balanced(rig)


def test_an_idle_line_is_never_red(rig: Rig, videos: dict[str, Path]) -> None:
    rig.play(videos, pace="fast")
    for name, *command in (("sink", "sink"), ("worker", "work"), ("ingest", "ingest")):
        rig.start(name, *command)
    rig.wait_for(lambda: rig.whole_log("ingest").count("state=stopped") == len(videos), STALL_S, "the files to end")
    rig.settle()
    until_s = time.monotonic() + 2 * STALLED_S
    rig.wait_for(lambda: time.monotonic() > until_s, STALL_S, "a while without work")
    assert [rig.probe(name)[0] for name in ("ingest", "worker", "sink")] == [200, 200, 200]
    assert not any("work.stalled" in rig.whole_log(name) for name in ("ingest", "worker", "sink"))
    assert not fault(rig)


def test_redis_shows_a_camera_of_which_nothing_is_heard_as_stalled(rig: Rig, videos: dict[str, Path]) -> None:
    run_line(rig, videos)
    rig.kill("ingest")
    rig.wait_for(lambda: rig.live("press-1")["state"] == "stalled", STALL_S, "the camera's state in Redis")
    assert "nothing heard" in rig.live("press-1")["detail"]
    wait_fault(rig, "press-1: no frame for .*: ingester_died")
    rig.start("ingest", "ingest")
    rig.wait_for(lambda: rig.live("press-1")["state"] == "online", STALL_S, "the camera's state in Redis")
