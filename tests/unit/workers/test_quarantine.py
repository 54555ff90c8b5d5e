import pytest

from andon.errors import FatalError, PoisonError
from andon.wire import Record
from workers.quarantine import TRUNCATED, QuarantineLimit, quarantine_record

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


def test_a_value_that_is_too_long_is_left_out_and_a_header_says_its_length() -> None:
    kept = quarantine_record(record(b"x" * 101), ERROR, 100)
    assert kept.value == b""
    assert dict(kept.headers)[TRUNCATED] == b"101"


def test_one_record_past_the_limit_stops_the_worker_and_names_the_reasons() -> None:
    limit = QuarantineLimit(3, 60.0)
    limit.admit(PoisonError("detector_error", "out of memory"), 0.0)
    for second in (1.0, 2.0):
        limit.admit(ERROR, second)
    with pytest.raises(FatalError, match=r"4 records .*\(undecodable 3, detector_error 1; last: a damaged JPEG"):
        limit.admit(ERROR, 3.0)


def test_records_that_have_left_the_window_do_not_count() -> None:
    limit = QuarantineLimit(2, 60.0)
    for second in (0.0, 1.0, 60.5, 61.5, 121.0, 122.0):
        limit.admit(ERROR, second)
