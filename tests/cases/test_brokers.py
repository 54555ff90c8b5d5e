"""Brokers that refuse, forget or lie: what a line does with them."""

import asyncio
import re
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiokafka import TopicPartition
from aiokafka.admin.records_to_delete import RecordsToDelete

from andon.errors import ConfigError, FatalError
from andon.events import FrameTooLarge, ProducerReplaced, TopicUnfit, silent
from andon.settings import KafkaSettings
from andon.settings import Settings as AndonSettings
from andon.stream.clients import admin, consumer, producer, started
from andon.stream.topic_settings import check_topics
from andon.stream.topics import ensure_topics
from tests import kafka_server
from tests.cases.case import Case, rows
from tests.conftest import kafka_settings
from tests.fakes import RecordedEvents
from tests.kafka_server import KafkaServer, free_port
from tests.two_cameras import CAMERAS, TwoCameras, frames_of, make_topic, two_cameras

pytestmark = pytest.mark.integration
BIG_BYTES = 1_570_000
LIMIT = "1048588"
"""Kafka's default of max.message.bytes."""
HALF = 60
GiveTrouble = Callable[[KafkaSettings, TwoCameras], Awaitable[None]]


async def none(kafka: KafkaSettings, cameras: TwoCameras) -> None:
    """The broker does nothing in between."""


async def make_the_topic_again(kafka: KafkaSettings, cameras: TwoCameras) -> None:
    async with started(lambda: admin(kafka), kafka, silent) as client:
        await client.delete_topics([kafka.frames_topic])
        cameras.capture(range(HALF, HALF + 1))
        while "the broker has no such topic" not in cameras.publisher.trouble:
            await asyncio.sleep(0.05)
    await make_topic(kafka, max_message_bytes=LIMIT)


async def delete_the_records(kafka: KafkaSettings, cameras: TwoCameras) -> None:
    everything = {TopicPartition(kafka.frames_topic, 0): RecordsToDelete(before_offset=-1)}
    async with started(lambda: admin(kafka), kafka, silent) as client:
        await client.delete_records(everything)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Two cameras deliver 60 frames; then `trouble` comes; then they deliver 60 more."""

    sizes: Mapping[int, int] = field(default_factory=dict)
    """Bytes of single frames of the first camera."""
    trouble: GiveTrouble = none
    keeps_first_half: bool = True
    """False: the broker has deleted what it held before the trouble."""
    replaced: bool = False
    """Whether a new producer takes the place of the first one."""


REFUSALS = (
    Case(
        "A picture above the topic's limit goes on without its pixels, and no other frame is disturbed",
        "IBM/sarama#1661, aiokafka#1017",
        Refusal(sizes={30: BIG_BYTES}, replaced=True),
    ),
    Case(
        "A camera whose pictures are all above the topic's limit goes on without them and disturbs no other camera",
        "seen by hand",
        Refusal(sizes=dict.fromkeys(range(2 * HALF), BIG_BYTES), replaced=True),
    ),
    Case(
        "A topic that is deleted and made again gets every frame that was not acknowledged",
        "seen by hand",
        Refusal(trouble=make_the_topic_again, keeps_first_half=False),
    ),
    Case(
        "A broker that has deleted all records of a producer takes its next ones",
        "librdkafka#3584",
        Refusal(trouble=delete_the_records, keeps_first_half=False),
    ),
)


@rows(REFUSALS)
async def test_refusals(given: Refusal, apache_kafka: str) -> None:
    kafka = kafka_settings(apache_kafka, embedded=False).model_copy(update={"request_timeout_s": 3.0})
    await make_topic(kafka, max_message_bytes=LIMIT)
    async with asyncio.timeout(60), two_cameras(kafka) as cameras:
        cameras.capture(range(HALF), given.sizes)
        await cameras.acknowledged()
        await given.trouble(kafka, cameras)
        cameras.capture(range(HALF + (given.trouble is make_the_topic_again), 2 * HALF), given.sizes)
        await cameras.acknowledged()
    expected = list(range(0 if given.keeps_first_half else HALF, 2 * HALF))
    frames = await frames_of(kafka)
    assert {name: [frame.seq for frame in of] for name, of in frames.items()} == dict.fromkeys(CAMERAS, expected)
    left_out = [(name, frame.seq) for name, of in frames.items() for frame in of if not frame.payload]
    assert left_out == [(CAMERAS[0], number) for number in given.sizes]
    assert all((frame.too_large is None) == bool(frame.payload) for of in frames.values() for frame in of)
    assert len(cameras.events.of(FrameTooLarge)) == len(given.sizes)
    replaced = cameras.events.of(ProducerReplaced)
    assert bool(replaced) == given.replaced
    assert len(replaced) <= 2, "a topic's limit is learned, not found out with each picture"


@dataclass(frozen=True, slots=True)
class Settings:
    """A frames topic that somebody else has made."""

    configs: Mapping[str, str]
    message: str
    """Part of the one line."""
    refused: bool = False


SETTINGS = (
    Case(
        "A compacted topic is refused, because it would keep one frame of each camera",
        "seen by hand",
        Settings({"cleanup_policy": "compact"}, "set cleanup.policy=delete", refused=True),
    ),
    Case(
        "A topic that takes smaller records than the line may send is named with both limits",
        "IBM/sarama#1661",
        Settings({"max_message_bytes": LIMIT}, "max.message.bytes is 1048588, kafka.max_record_bytes 8000000"),
    ),
    Case(
        "A topic that keeps records for a shorter time than the line relies on is named",
        "seen by hand",
        Settings({"retention_ms": "60000"}, "retention.ms is 60000, kafka.retention_minutes 60"),
    ),
    Case(
        "A topic whose records bear the cameras' times is named",
        "seen by hand",
        Settings({"message_timestamp_type": "CreateTime"}, "message.timestamp.type is CreateTime"),
    ),
    Case(
        "A topic that would take no record, because it has too few replicas, is refused",
        "seen by hand",
        Settings({"min_insync_replicas": "2"}, "its min.insync.replicas is 2, and it has 1 replicas", refused=True),
    ),
)
FIT = {"message_timestamp_type": "LogAppendTime", "max_message_bytes": "8100000", "retention_ms": "3600000"}


@rows(SETTINGS)
async def test_settings(given: Settings, apache_kafka: str) -> None:
    kafka = kafka_settings(apache_kafka, embedded=False)
    await make_topic(kafka, **FIT | dict(given.configs))
    events = RecordedEvents()
    if given.refused:
        with pytest.raises(ConfigError, match=re.escape(given.message)):
            await check_topics(kafka, [kafka.frames_topic], events)
        return
    limits = await check_topics(kafka, [kafka.frames_topic], events)
    assert limits == {kafka.frames_topic: int(given.configs.get("max_message_bytes", FIT["max_message_bytes"]))}
    (unfit,) = events.of(TopicUnfit)
    assert (unfit.topic, given.message in unfit.setting) == (kafka.frames_topic, True)


async def test_the_topics_that_andon_makes_fit(broker: KafkaSettings) -> None:
    line = AndonSettings(kafka=broker)
    await ensure_topics(line, silent)
    events = RecordedEvents()
    names = [broker.frames_topic, broker.inspections_topic, broker.defects_topic, broker.quarantine_topic]
    assert set(await check_topics(broker, names, events)) == set(names)
    assert events.of(TopicUnfit) == []


Build = Callable[[KafkaSettings], Any]


class Elsewhere(KafkaServer):
    """Names an address at which nothing listens."""

    def _settings(self, port: int) -> dict[str, str]:
        return super()._settings(port) | {"advertised.listeners": f"PLAINTEXT://127.0.0.1:{self.other_port}"}

    other_port = free_port()


ADDRESSES: tuple[Case[Build], ...] = (
    Case("A producer names the address that can't be reached", "librdkafka#1714", producer),
    Case("A consumer names the address that can't be reached", "librdkafka#1714", lambda kafka: consumer(kafka, "g")),
    Case("The line's topics can't be made at an address that can't be reached", "librdkafka#1714", admin),
)


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Elsewhere]:
    if reason := kafka_server.missing():
        pytest.skip(reason)
    with Elsewhere(tmp_path_factory.mktemp("elsewhere")) as server:
        yield server


@rows(ADDRESSES)
async def test_addresses(given: Build, elsewhere: Elsewhere) -> None:
    kafka = kafka_settings(elsewhere.bootstrap_servers, embedded=False).model_copy(update={"start_timeout_s": 2.0})
    with pytest.raises(FatalError) as caught:
        async with started(lambda: given(kafka), kafka, silent):
            pass
    named = f"names 127.0.0.1:{elsewhere.other_port} as its address, which this machine can't reach"
    assert str(caught.value).startswith(f"Kafka at {elsewhere.bootstrap_servers} answers, but {named}")
    assert "advertised.listeners" in str(caught.value)


@dataclass(frozen=True, slots=True)
class Lag:
    """`andon lag` on a broker that has, or has not, what the line needs."""

    topics: bool
    message: str


LAGS = (
    Case(
        "andon lag names the topics that are missing, and fails",
        "seen by hand",
        Lag(topics=False, message="is missing: `andon topics create` makes it"),
    ),
    Case(
        "andon lag names the groups that have never committed, and fails",
        "seen by hand",
        Lag(topics=True, message="has never committed: is the line up, and is this its broker?"),
    ),
)


@rows(LAGS)
def test_lags(given: Lag, apache_kafka: str, tmp_path: Path) -> None:
    kafka = kafka_settings(apache_kafka, embedded=False)
    if given.topics:
        asyncio.run(ensure_topics(AndonSettings(kafka=kafka), silent))
    path = tmp_path / "line.yaml"
    path.write_text(yaml.safe_dump({"kafka": kafka.model_dump(mode="json", exclude={"sasl_password"})}))
    done = subprocess.run(
        [sys.executable, "-m", "andon", "lag", "-c", str(path)], check=False, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 1
    assert given.message in done.stderr
    named = kafka.inspections_topic if not given.topics else f"{kafka.group_prefix}."
    assert named in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
