"""A record goes into quarantine as it came, with the place it came from and the reason."""

from andon.errors import PoisonError
from andon.quarantine import TRUNCATED, quarantine_record, without_value
from andon.wire import Record

ERROR = PoisonError("undecodable", "a damaged JPEG")


def record(value: bytes | None = b"bytes", timestamp_ms: int = 7) -> Record:
    return Record("andon.frames", 3, 41, timestamp_ms, b"press-1", value, (("ce_id", b"x"), ("odd", b"\xff")))


def test_a_record_is_kept_as_it_came_with_where_it_was_and_why() -> None:
    kept = quarantine_record(record(), ERROR, 100)
    assert (kept.key, kept.value, kept.timestamp_ms) == (b"press-1", b"bytes", 7)
    assert tuple(kept.headers[:2]) == record().headers
    assert dict(kept.headers[2:]) == {
        "andon_quarantine_reason": b"undecodable",
        "andon_quarantine_error": b"a damaged JPEG",
        "andon_quarantine_topic": b"andon.frames",
        "andon_quarantine_partition": b"3",
        "andon_quarantine_offset": b"41",
    }


def test_an_empty_record_without_a_time_can_be_kept_too() -> None:
    kept = quarantine_record(record(None, timestamp_ms=-1), ERROR, 100)
    assert (kept.value, kept.timestamp_ms) == (b"", 0)


def test_a_value_that_no_producer_could_send_on_is_left_behind_and_its_length_told() -> None:
    kept = quarantine_record(record(b"x" * 101), ERROR, 100)
    assert kept.value == b""
    assert dict(kept.headers)[TRUNCATED] == b"101"


def test_a_record_that_the_topic_does_not_take_goes_without_its_value() -> None:
    kept = without_value(quarantine_record(record(), ERROR, 100))
    assert kept.value == b""
    assert dict(kept.headers)[TRUNCATED] == b"5"
    assert dict(kept.headers)["andon_quarantine_offset"] == b"41"
