"""Brokers that refuse, forget or lie: what a line does with them."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

import pytest
from aiokafka import TopicPartition
from aiokafka.admin.records_to_delete import RecordsToDelete

from andon.events import FrameTooLarge, ProducerReplaced, silent
from andon.settings import KafkaSettings
from andon.stream.clients import admin, started
from tests.cases.case import Case, rows
from tests.conftest import kafka_settings
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
