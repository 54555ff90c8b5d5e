"""A record that sinks cannot read, as the outbox carries it: bounded in size, with the reason."""

from dataclasses import replace

from pydantic import ConfigDict, Field

from andon.errors import PoisonError
from andon.messages import Message
from andon.quarantine import quarantine_record
from andon.wire import Record

MAX_VALUE_BYTES = 1_000_000
"""What the outbox carries of a record's value: far above any inspection, and what a topic takes by default."""
MAX_HEADER_BYTES = 100_000
"""What it carries of the record's own headers, which no message of the line comes near; and of its key."""


class QuarantineOrder(Message):
    """A record for the quarantine topic: what the outbox holds for the channel `quarantine`. Bytes are base64."""

    model_config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")

    key: bytes = Field(repr=False)
    value: bytes = Field(repr=False)
    headers: tuple[tuple[str, bytes], ...] = Field(repr=False)
    timestamp_ms: int


def quarantine_order(record: Record, error: PoisonError) -> QuarantineOrder:
    """The order for `record`, with the reason in its headers. Whatever is above the bounds is left out."""
    if sum(len(name) + len(content or b"") for name, content in record.headers) > MAX_HEADER_BYTES:
        record = replace(record, headers=())
    if len(record.key or b"") > MAX_HEADER_BYTES:
        record = replace(record, key=None)
    kept = quarantine_record(record, error, MAX_VALUE_BYTES)
    return QuarantineOrder(key=kept.key, value=kept.value, headers=tuple(kept.headers), timestamp_ms=kept.timestamp_ms)
