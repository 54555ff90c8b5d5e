"""Brokers that forget what a producer sent: ingest's own publishers go on, and nothing that was not gone is missing."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from andon.events import LogCut, ProducerReplaced
from andon.settings import KafkaSettings
from tests import kafka_server
from tests.conftest import kafka_settings
from tests.faults.conftest import ReportRecovery, quick
from tests.kafka_server import KafkaServer
from tests.two_cameras import CAMERAS, frames_of, make_topic, two_cameras

FORGETS_S = 1.0


class ForgetfulKafka(KafkaServer):
    """Forgets a producer that has sent nothing for a second."""

    def _settings(self, port: int) -> dict[str, str]:
        return super()._settings(port) | {
            "producer.id.expiration.ms": str(int(FORGETS_S * 1000)),
            "producer.id.expiration.check.interval.ms": "100",
        }


@pytest.fixture
def forgetful(tmp_path: Path) -> Iterator[ForgetfulKafka]:
    if reason := kafka_server.missing():
        pytest.skip(reason)
    with ForgetfulKafka(tmp_path) as server:
        yield server


@pytest.fixture
def forgetful_kafka(forgetful: ForgetfulKafka) -> KafkaSettings:
    return quick(kafka_settings(forgetful.bootstrap_servers, embedded=False))


async def test_a_broker_that_has_forgotten_the_producer_gets_its_next_frames(forgetful_kafka: KafkaSettings) -> None:
    await make_topic(forgetful_kafka)
    async with asyncio.timeout(60), two_cameras(forgetful_kafka) as cameras:
        for first in (0, 20, 40):
            cameras.capture(range(first, first + 20))
            await cameras.acknowledged()
            await asyncio.sleep(3 * FORGETS_S)  # the fault itself
    frames = await frames_of(forgetful_kafka)
    assert {name: [frame.seq for frame in of] for name, of in frames.items()} == {key: [*range(60)] for key in CAMERAS}


@pytest.mark.parametrize("kind", [KafkaServer, ForgetfulKafka])
async def test_a_broker_that_lost_the_end_of_its_log_gets_every_frame_that_follows(
    kind: type[KafkaServer], tmp_path: Path, report_recovery: ReportRecovery
) -> None:
    if reason := kafka_server.missing():
        pytest.skip(reason)
    with kind(tmp_path) as server:
        await lose_the_end(server, report_recovery, replaced=kind is KafkaServer)


async def lose_the_end(server: KafkaServer, report_recovery: ReportRecovery, *, replaced: bool) -> None:
    """`replaced`: the broker still knows the producer, and what it sent last."""
    kafka = quick(kafka_settings(server.bootstrap_servers, embedded=False))
    await make_topic(kafka)
    async with asyncio.timeout(120), two_cameras(kafka) as cameras:
        cameras.capture(range(20))
        await cameras.acknowledged()
        await asyncio.to_thread(server.take_snapshot)
        cameras.capture(range(20, 40))
        await cameras.acknowledged()
        await asyncio.to_thread(server.restore_snapshot)
        since = asyncio.get_running_loop().time()
        cameras.capture(range(40, 60))
        await cameras.acknowledged()
        report_recovery(asyncio.get_running_loop().time() - since, "frames in the log")
    frames = await frames_of(kafka)
    left = [*range(20), *range(40, 60)]
    assert {name: [frame.seq for frame in of] for name, of in frames.items()} == dict.fromkeys(CAMERAS, left)
    (cut,) = cameras.events.of(LogCut)
    assert (cut.first_offset, cut.last_offset) == (40, 79)
    assert bool(cameras.events.of(ProducerReplaced)) == replaced
