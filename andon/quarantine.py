"""A record that a stage cannot read or handle, as it came, on its way to the quarantine topic."""

from dataclasses import replace

from andon.errors import PoisonError
from andon.wire import Outgoing, Record

TRUNCATED = "andon_quarantine_truncated_bytes"


def quarantine_record(record: Record, error: PoisonError, max_bytes: int) -> Outgoing:
    """`record` as it came. Headers that begin with `andon_quarantine` say where it was and why it is here.

    A value longer than `max_bytes` is left out; a header says how long it was.
    """
    notes = {
        "andon_quarantine_reason": error.reason,
        "andon_quarantine_error": str(error)[:300],
        "andon_quarantine_topic": record.topic,
        "andon_quarantine_partition": str(record.partition),
        "andon_quarantine_offset": str(record.offset),
    }
    headers = [(name, content or b"") for name, content in record.headers]
    headers += [(name, note.encode()) for name, note in notes.items()]
    timestamp_ms = record.timestamp_ms if record.timestamp_ms >= 0 else 0
    whole = Outgoing(record.key or b"", record.value or b"", headers, timestamp_ms)
    return whole if len(whole.value) <= max_bytes else without_value(whole)


def without_value(record: Outgoing) -> Outgoing:
    """The record for a topic that does not take it whole: a header says how long its value was."""
    length = (TRUNCATED, str(len(record.value)).encode())
    return replace(record, value=b"", headers=[*record.headers, length])
