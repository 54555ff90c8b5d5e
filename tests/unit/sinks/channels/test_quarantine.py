"""A record that sinks cannot read reaches the quarantine topic as it came, whatever its size."""

import pytest

from andon.errors import DecodeError, PoisonError
from andon.quarantine import TRUNCATED
from andon.wire import Record
from sinks.channels.channel import SinkBusy
from sinks.channels.kafka_topic import TopicWriter
from sinks.channels.quarantine import QuarantineChannel
from sinks.outbox_item import OutboxItem
from sinks.quarantine_order import MAX_HEADER_BYTES, MAX_VALUE_BYTES, quarantine_order
from tests.fakes import START, MemoryPublisher

TOPIC = "andon.quarantine"
ERROR = DecodeError("andon.inspections[3]@41: no ce_type")


def a_record(value: bytes | None = b"\xff{ no JSON", key: bytes | None = b"press-1", headers: int = 1) -> Record:
    return Record("andon.inspections", 3, 41, 7, key, value, [("odd", b"\xfe" * headers)])


def an_item(record: Record) -> OutboxItem:
    payload = quarantine_order(record, ERROR).model_dump_json().encode()
    return OutboxItem(1, "quarantine", 3, "andon.inspections/3@41/1/quarantine", payload, START, 0)


async def sent(record: Record, publisher: MemoryPublisher) -> Record:
    await QuarantineChannel(TopicWriter(publisher, TOPIC)).send(an_item(record))
    (kept,) = publisher.topics[TOPIC]
    return kept


async def test_the_record_arrives_as_it_came_with_the_reason_in_its_headers() -> None:
    kept = await sent(a_record(), MemoryPublisher())
    assert (kept.key, kept.value, kept.timestamp_ms) == (b"press-1", b"\xff{ no JSON", 7)
    headers = dict(kept.headers)
    assert headers["odd"] == b"\xfe"
    assert headers["andon_quarantine_reason"] == b"bad_header"
    assert headers["andon_quarantine_topic"] == b"andon.inspections"
    assert headers["andon_quarantine_offset"] == b"41"


async def test_a_record_that_the_topic_does_not_take_arrives_without_its_value() -> None:
    kept = await sent(a_record(b"x" * 200), MemoryPublisher(max_bytes=100))
    assert (kept.value, dict(kept.headers)[TRUNCATED]) == (b"", b"200")


async def test_the_outbox_carries_a_bounded_part_of_a_huge_record() -> None:
    huge = a_record(b"x" * (MAX_VALUE_BYTES + 1), b"k" * (MAX_HEADER_BYTES + 1), MAX_HEADER_BYTES)
    kept = await sent(huge, MemoryPublisher())
    assert (kept.key, kept.value) == (b"", b"")
    headers = dict(kept.headers)
    assert "odd" not in headers
    assert headers["andon_quarantine_offset"] == b"41"
    assert headers[TRUNCATED] == str(MAX_VALUE_BYTES + 1).encode()


async def test_a_broker_that_is_away_keeps_the_record_in_the_outbox() -> None:
    publisher = MemoryPublisher()
    publisher.away = True
    with pytest.raises(SinkBusy, match="the broker is away"):
        await sent(a_record(), publisher)


async def test_an_item_that_is_no_order_is_given_up() -> None:
    channel = QuarantineChannel(TopicWriter(MemoryPublisher(), TOPIC))
    with pytest.raises(PoisonError, match="no QuarantineOrder"):
        await channel.send(OutboxItem(1, "quarantine", 3, "e", b"{}", START, 0))
