"""How a message lies in a spool's segment: its Kafka record behind a length and a checksum.

`magic, length of the JSON part, length of the value, CRC-32 of both`, then the JSON part (key, timestamp, headers) and
the value (a frame's picture, as it is). Because it is the wire's own record, what reads old records reads old spools.
"""

import json
import struct
import zlib

from andon import wire
from andon.errors import DecodeError
from andon.messages import CameraStatus, Frame, Shed
from andon.wire import Record
from ingest.waiting import Message

HEAD = struct.Struct(">4sIII")
MAGIC = b"ASP1"
MOST_BYTES = 1 << 30
"""A length beyond it is no length."""


class Torn(Exception):  # noqa: N818  # no error of the line's: it says where a segment ends
    """No whole record stands here: what was being written when the process or the disk gave out."""


def pack(message: Message) -> bytes:
    """The bytes of one record."""
    record = wire.encode(message)
    headers = [(name, value.decode()) for name, value in record.headers]
    about = json.dumps([record.key.decode(), record.timestamp_ms, headers], separators=(",", ":")).encode()
    checksum = zlib.crc32(record.value, zlib.crc32(about))
    return b"".join((HEAD.pack(MAGIC, len(about), len(record.value), checksum), about, record.value))


def body_bytes(head: bytes) -> int:
    """How many bytes follow the head. Raises Torn where it is none."""
    if len(head) < HEAD.size:
        raise Torn
    magic, about_bytes, value_bytes, _ = HEAD.unpack(head)
    if magic != MAGIC or about_bytes + value_bytes > MOST_BYTES:
        raise Torn
    return int(about_bytes + value_bytes)


def unpack(head: bytes, body: bytes) -> Message:
    """The message. Raises Torn where the bytes are not those that were written."""
    if len(body) != body_bytes(head):
        raise Torn
    _, about_bytes, _, checksum = HEAD.unpack(head)
    if zlib.crc32(body) != checksum:
        raise Torn
    key, timestamp_ms, headers = json.loads(body[:about_bytes])
    encoded = [(name, value.encode()) for name, value in headers]
    try:
        message = wire.decode(Record("spool", 0, 0, timestamp_ms, key.encode(), body[about_bytes:], encoded))
    except DecodeError as error:  # written by another version
        raise Torn from error
    if not isinstance(message, Frame | Shed | CameraStatus):
        raise Torn
    return message
