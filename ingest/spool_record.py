"""How a message lies in the spool: as its own Kafka record, so that what reads old records reads old spools, too."""

import json
from collections.abc import Sequence

from andon import wire
from andon.errors import DecodeError
from andon.messages import CameraStatus, Frame, Shed
from andon.wire import Record
from ingest.queue import Message


def encode(position: int, message: Message) -> tuple[int, int, bytes, bytes]:
    """A row of the spool's table: position, time in ms since 1970, key and headers as JSON, value."""
    record = wire.encode(message)
    headers = [(name, value.decode()) for name, value in record.headers]
    about = json.dumps([record.key.decode(), headers], separators=(",", ":")).encode()
    return position, record.timestamp_ms, about, record.value


def decode(timestamp_ms: int, about: bytes, value: bytes) -> Message | None:
    """None: it is damaged, or this version can't read it."""
    try:
        key, headers = json.loads(about)
        return decode_record(timestamp_ms, key, headers, value)
    except (ValueError, TypeError, AttributeError):
        return None


def decode_record(timestamp_ms: int, key: str, headers: Sequence[tuple[str, str]], value: bytes) -> Message | None:
    """The message of a Kafka record; None: this version can't read it."""
    encoded = [(name, text.encode()) for name, text in headers]
    try:
        message = wire.decode(Record("spool", 0, 0, timestamp_ms, key.encode(), value, encoded))
    except DecodeError:
        return None
    return message if isinstance(message, Frame | Shed | CameraStatus) else None
