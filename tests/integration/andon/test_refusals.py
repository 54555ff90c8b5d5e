"""What Apache Kafka refuses: records too large for a topic that an administrator made, and deleted topics."""

import asyncio
import time

import pytest
from aiokafka.admin import NewTopic

from andon.errors import FatalError, RetryableError, TooLargeError
from andon.events import Retrying, silent
from andon.messages import RecordRef
from andon.settings import KafkaSettings
from andon.stream.clients import admin, producer, reader, started
from andon.stream.publisher import KafkaPublisher
from andon.stream.reading import RecordReader
from andon.wire import Outgoing
from tests.conftest import kafka_settings
from tests.fakes import RecordedEvents

pytestmark = pytest.mark.integration
LIMIT_BYTES = 50_000
"""max.message.bytes of the topic."""


@pytest.fixture(params=[True, False], ids=["idempotent", "plain"])
async def kafka(apache_kafka: str, request: pytest.FixtureRequest) -> KafkaSettings:
    settings = kafka_settings(apache_kafka, embedded=False).model_copy(
        update={"idempotent": request.param, "request_timeout_s": 2.0}
    )
    await make_topic(settings)
    return settings


async def make_topic(settings: KafkaSettings) -> None:
    narrow = NewTopic(settings.frames_topic, 1, 1, topic_configs={"max.message.bytes": str(LIMIT_BYTES)})
    patient = settings.model_copy(update={"request_timeout_s": 60.0})
    async with started(lambda: admin(patient), patient, silent) as client:
        await client.create_topics([narrow])


def record(number: int, size_bytes: int = 10) -> Outgoing:
    """Of now: a broker deletes records whose own time is past its retention, however lately they came."""
    return Outgoing(b"camera", b"%d:" % number + bytes(size_bytes), (), int(time.time() * 1000))


async def sent(publisher: KafkaPublisher, topic: str, records: list[Outgoing]) -> list[RecordRef]:
    """As every caller sends: from the first record that was refused on, all of them again."""
    refs: list[RecordRef] = []
    for _ in range(5):
        acknowledgements = [await publisher.send(topic, one) for one in records[len(refs) :]]
        failed = False
        for acknowledgement in acknowledgements:
            try:
                ref = await acknowledgement
                refs += [] if failed else [ref]
            except RetryableError:
                failed = True
        if not failed:
            return refs
    raise AssertionError(f"{len(refs)} of {len(records)} were taken")


async def test_a_record_that_is_too_large_is_refused_and_the_records_after_it_are_taken(kafka: KafkaSettings) -> None:
    async with started(lambda: producer(kafka), kafka, silent) as client:
        publisher = KafkaPublisher(client)
        await sent(publisher, kafka.frames_topic, [record(0)])
        with pytest.raises(RetryableError):  # others may have been in its batch
            await (await publisher.send(kafka.frames_topic, record(1, 2 * LIMIT_BYTES)))
        with pytest.raises(TooLargeError, match=r"max\.message\.bytes"):  # in a batch of its own: that proves it
            await (await publisher.send(kafka.frames_topic, record(1, 2 * LIMIT_BYTES)))
        refs = await sent(publisher, kafka.frames_topic, [record(2), record(3)])
    assert [ref.offset for ref in refs] == [1, 2]


async def test_records_that_are_too_large_only_together_are_all_taken_in_their_order(kafka: KafkaSettings) -> None:
    records = [record(number, LIMIT_BYTES // 3) for number in range(12)]
    async with (
        started(lambda: producer(kafka), kafka, silent) as client,
        started(lambda: reader(kafka), kafka, silent) as reading,
    ):
        refs = await sent(KafkaPublisher(client), kafka.frames_topic, records)
        found = [await RecordReader(reading).read(ref) for ref in refs]
    assert [item and item.value for item in found] == [item.value for item in records]
    assert sorted(ref.offset for ref in refs) == [ref.offset for ref in refs]


async def test_a_topic_that_is_deleted_is_reported_and_takes_records_when_it_is_made_again(
    kafka: KafkaSettings,
) -> None:
    events = RecordedEvents()
    async with started(lambda: producer(kafka, events), kafka, silent) as client:
        publisher = KafkaPublisher(client, check_s=0.5)
        await sent(publisher, kafka.frames_topic, [record(0)])
        async with started(lambda: admin(kafka), kafka, silent) as administrator:
            await administrator.delete_topics([kafka.frames_topic])
        waiting = asyncio.ensure_future(await publisher.send(kafka.frames_topic, record(1)))
        watching = asyncio.create_task(publisher.watch())
        async with asyncio.timeout(60):
            while not any("the broker has no such topic" in event.error for event in events.of(Retrying)):
                await asyncio.sleep(0.05)
        with pytest.raises(RetryableError, match="the broker has no such topic"):
            await publisher.send(kafka.frames_topic, record(2))
        assert "the broker has no such topic" in publisher.trouble
        assert not waiting.done(), "the client itself never gives up"
        await make_topic(kafka)
        await asyncio.wait_for(waiting, 60)
        assert publisher.trouble == ""
        assert not watching.done()
        watching.cancel()


async def test_a_topic_that_was_never_there_ends_the_process_with_a_line_that_says_so(kafka: KafkaSettings) -> None:
    async with started(lambda: producer(kafka), kafka, silent) as client:
        with pytest.raises(FatalError, match="the broker has no such topic"):
            await KafkaPublisher(client).send("never.heard.of", record(0))


async def test_a_broker_that_is_away_is_not_taken_for_a_topic_that_is_deleted(
    kafka: KafkaSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody_answers() -> asyncio.Future[bool]:
        answer: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        answer.set_result(False)
        return answer

    async with started(lambda: producer(kafka), kafka, silent) as client:
        publisher = KafkaPublisher(client)
        monkeypatch.setattr(client.client.client, "force_metadata_update", nobody_answers)
        with pytest.raises(RetryableError, match="does not answer"):
            await publisher.send("never.heard.of", record(0))
