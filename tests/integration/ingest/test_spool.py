"""The spool on a real Apache Kafka that is away, and on real disks that are full or can't be written to."""

import itertools
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from andon.events import silent
from andon.messages import CameraStatus, Frame, Message, ShedRange
from andon.settings import KafkaSettings, Settings
from andon.stream.topics import ensure_topics
from ingest.spool import Spool, SpoolPlace
from tests.conftest import kafka_settings
from tests.integration.ingest.line import Ingester, log, numbers, until
from tests.kafka_server import KafkaServer, missing
from tests.videos import make_video

pytestmark = pytest.mark.integration
SPOOLED = 100
"""Frames on disk before the broker is back: several times what memory holds."""
FPS = 25


@pytest.fixture
def server(tmp_path: Path) -> Iterator[KafkaServer]:
    if reason := missing():
        pytest.skip(reason)
    with KafkaServer(tmp_path / "kafka") as running:
        yield running


async def topics(server: KafkaServer) -> KafkaSettings:
    kafka = kafka_settings(server.bootstrap_servers, embedded=False)
    await ensure_topics(Settings(kafka=kafka), silent)
    return kafka


def camera(folder: Path, **values: object) -> dict[str, object]:
    clip = folder / "clip.mp4"
    if not clip.exists():
        make_video(clip, 60, FPS)
    return {"id": "a", "url": str(clip), "loop": True, "mailbox_frames": 20, **values}


def sessions(messages: list[Message]) -> list[str]:
    found: list[str] = []
    for item in messages:
        if isinstance(item, Frame) and item.session not in found:
            found.append(item.session)
    return found


async def spooled(ingester: Ingester) -> None:
    """Until the disk holds this number of frames."""
    await until(lambda: ingester.metric("andon_ingest_spool_depth_records") >= SPOOLED)


def final(messages: list[Message], session: str) -> CameraStatus:
    return next(i for i in messages if isinstance(i, CameraStatus) and i.final and i.session == session)


async def test_a_broker_that_hangs_costs_nothing_and_its_frames_come_in_order(
    server: KafkaServer, tmp_path: Path
) -> None:
    kafka = await topics(server)
    # a busy disk may stand for a moment, in which frames wait in memory
    with Ingester(tmp_path, kafka, camera(tmp_path, mailbox_frames=100)) as ingester:
        await until(lambda: "state=online" in ingester.log)
        server.freeze()
        await spooled(ingester)
        server.thaw()
        await until(lambda: "spool.drained" in ingester.log)
        ingester.process.send_signal(signal.SIGTERM)
        assert await ingester.ended() == 0
    messages = await log(kafka, "a")
    (session,) = sessions(messages)
    captured = final(messages, session).captured
    assert captured >= SPOOLED
    assert numbers(messages, session) == list(range(captured))
    assert not any(isinstance(item, ShedRange) for item in messages)
    assert "spool.filling" in ingester.log
    spool = Spool(SpoolPlace(tmp_path / "spool" / "a", 10_000_000))
    assert spool.empty
    spool.close()


async def test_what_a_killed_ingester_spooled_is_sent_by_the_next_one_before_anything_new(
    server: KafkaServer, tmp_path: Path
) -> None:
    kafka = await topics(server)
    with Ingester(tmp_path, kafka, camera(tmp_path)) as first:
        await until(lambda: "state=online" in first.log)
        server.freeze()
        await spooled(first)
        first.process.kill()
        first.process.wait()
    server.thaw()
    with Ingester(tmp_path, kafka, camera(tmp_path)) as second:
        await until(lambda: "spool.drained" in second.log)
        second.process.send_signal(signal.SIGTERM)
        assert await second.ended() == 0
    messages = await log(kafka, "a")
    before, after = sessions(messages)
    frames = [item for item in messages if isinstance(item, Frame)]
    changes = [one for one, other in itertools.pairwise(frames) if one.session != other.session]
    assert len(changes) == 1  # all of the old session, then all of the new one
    old = numbers(messages, before)
    gone = set(range(max(old) + 1)) - set(old)
    assert len(gone) <= 20  # no more than memory held
    assert len(old) >= SPOOLED
    assert numbers(messages, after) == list(range(final(messages, after).captured))


async def test_a_full_spool_sheds_as_spool_full_says_so_loudly_and_goes_on(server: KafkaServer, tmp_path: Path) -> None:
    kafka = await topics(server)
    small = {"max_bytes": 100_000}
    with Ingester(tmp_path, kafka, camera(tmp_path), spool=small) as ingester:
        await shedding_and_back(ingester, server)
    messages = await log(kafka, "a")
    assert "are this camera's share of spool.max_bytes" in ingester.log
    assert_shed_in_the_account(messages)


async def test_a_disk_that_is_full_costs_what_memory_cannot_hold_and_no_more(
    server: KafkaServer, tmp_path: Path
) -> None:
    disk = tmp_path / "disk"
    with tiny_disk(disk):
        kafka = await topics(server)
        with Ingester(tmp_path, kafka, camera(tmp_path), spool={"folder": str(disk)}) as ingester:
            await shedding_and_back(ingester, server)
        messages = await log(kafka, "a")
    assert "No space left on device" in ingester.log
    assert "Traceback" not in ingester.log
    assert_shed_in_the_account(messages)


async def test_a_folder_that_cannot_be_written_to_is_one_line(server: KafkaServer, tmp_path: Path) -> None:
    kafka = await topics(server)
    with Ingester(tmp_path, kafka, camera(tmp_path), spool={"folder": "/proc/andon-spool"}) as ingester:
        await shedding_and_back(ingester, server, mended=False)
    messages = await log(kafka, "a")
    errors = [line for line in ingester.log.splitlines() if "spool.full" in line]
    assert len(errors) == 1
    assert "/proc/andon-spool/a: No such file or directory" in errors[0]
    assert_shed_in_the_account(messages)


async def shedding_and_back(ingester: Ingester, server: KafkaServer, *, mended: bool = True) -> None:
    """`mended`: the spool takes frames again once the broker is back."""
    await until(lambda: "state=online" in ingester.log)
    server.freeze()
    await until(lambda: "reason=spool_full" in ingester.log and "spooled:" in ingester.log)
    server.thaw()
    if mended:
        await until(lambda: "state=online" in ingester.log.rpartition("spooled:")[2])
    ingester.process.send_signal(signal.SIGTERM)
    assert await ingester.ended() == 0


def assert_shed_in_the_account(messages: list[Message]) -> None:
    (session,) = sessions(messages)
    assert numbers(messages, session) == list(range(final(messages, session).captured))
    assert {item.reason for item in messages if isinstance(item, ShedRange)} == {"spool_full"}
    details = {item.detail for item in messages if isinstance(item, CameraStatus)}
    assert any("frames can't be spooled: " in detail for detail in details)


class tiny_disk:  # noqa: N801  # used as a context manager
    """A file system of 1 MB."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        self._path.mkdir()
        if os.geteuid() != 0:
            pytest.skip("mounting a small disk takes root")
        mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(self._path)]
        if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
            pytest.skip("this machine does not let a test mount a small disk")

    def __exit__(self, *exc: object) -> None:
        subprocess.run(["umount", str(self._path)], check=False)
