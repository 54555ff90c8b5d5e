"""What holds for every Publisher: in memory, on the embedded broker, on Apache Kafka."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from andon.errors import TooLargeError
from andon.events import silent
from andon.messages import CameraStatus, RecordRef
from andon.settings import KafkaSettings, Settings
from andon.stream.clients import producer, reader, started
from andon.stream.publisher import KafkaPublisher, Publisher
from andon.stream.reading import RecordReader
from andon.stream.topics import ensure_topics
from andon.wire import Outgoing, Record, decode, encode
from tests.conftest import kafka_settings
from tests.fakes import MemoryPublisher

Read = Callable[[RecordRef], Awaitable[Record | None]]


@dataclass
class Rig:
    topic: str
    publisher: Publisher
    read: Read


@pytest.fixture(params=["memory", pytest.param("embedded", marks=pytest.mark.integration), "apache"])
async def rig(request: pytest.FixtureRequest) -> AsyncIterator[Rig]:
    if request.param == "memory":
        memory = MemoryPublisher(KafkaSettings().max_record_bytes)

        async def read(ref: RecordRef) -> Record | None:
            log = memory.topics[ref.topic]
            return log[ref.offset] if ref.offset < len(log) else None

        yield Rig("t", memory, read)
        return
    embedded = request.param == "embedded"
    servers = request.getfixturevalue("embedded_broker" if embedded else "apache_kafka")
    kafka = kafka_settings(servers, embedded=embedded)
    await ensure_topics(Settings(kafka=kafka), silent)
    async with (
        started(lambda: producer(kafka), kafka, silent) as sender,
        started(lambda: reader(kafka), kafka, silent) as client,
    ):
        yield Rig(kafka.frames_topic, KafkaPublisher(sender), RecordReader(client).read)


def status(captured: int) -> CameraStatus:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return CameraStatus(camera_id="c", session="s", state="online", captured=captured, at=at)


async def test_an_acknowledged_record_can_be_read_back_by_its_reference(rig: Rig) -> None:
    ref = await (await rig.publisher.send(rig.topic, encode(status(3))))
    record = await rig.read(ref)
    assert record is not None
    assert decode(record) == status(3)


async def test_one_cameras_records_lie_in_the_order_in_which_they_were_sent(rig: Rig) -> None:
    acknowledgements = [await rig.publisher.send(rig.topic, encode(status(number))) for number in range(50)]
    refs = [await acknowledgement for acknowledgement in acknowledgements]
    assert len({ref.partition for ref in refs}) == 1
    assert [ref.offset for ref in refs] == list(range(50))


async def test_a_record_larger_than_the_topic_takes_is_refused_for_good_and_the_next_one_is_taken(rig: Rig) -> None:
    large = Outgoing(b"c", bytes(KafkaSettings().max_record_bytes + 200_000), (), 0)
    first = await (await rig.publisher.send(rig.topic, encode(status(1))))
    with pytest.raises(TooLargeError, match=rig.topic):
        await (await rig.publisher.send(rig.topic, large))
    second = await (await rig.publisher.send(rig.topic, encode(status(2))))
    assert second.offset == first.offset + 1


async def test_reading_a_reference_past_the_end_gives_nothing(rig: Rig) -> None:
    ref = await (await rig.publisher.send(rig.topic, encode(status(1))))
    assert await rig.read(ref.model_copy(update={"offset": ref.offset + 1000})) is None
