"""Reads the spool that version 0.1 left on disk, once, into the database: files of records behind a checksum.

A record is a head (magic, length of the JSON part, length of the value, CRC-32 of both), the JSON part (key, timestamp,
headers) and the value.
"""

import json
import struct
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from ingest.queue import Message
from ingest.spool import Spool, explained
from ingest.spool_record import decode_record

HEAD = struct.Struct(">4sIII")
MAGIC = b"ASP1"


def import_old(spool: Spool, folder: Path, damaged: Callable[[str], object]) -> None:
    """Store the records of all files behind those in `spool`, and remove the files. `damaged` gets a line for each
    file that can't be read to its end.

    Raises SpoolError. A file is removed only after its records are stored; a crash in between stores them twice.
    """
    for path in sorted(path for path in folder.glob("*.spool") if path.stem.isdecimal()):
        with explained():
            messages = list(records(path.read_bytes()))
            whole = [message for message in messages if message is not None]
            spool.keep(list(enumerate(whole, spool.last_position + 1)))
            path.unlink()
        if len(whole) < len(messages):
            damaged(f"{path}: the records behind the first {len(whole)} can't be read back")


def records(content: bytes) -> Iterator[Message | None]:
    """The messages of one file; None: from here on it can't be read."""
    at = 0
    while at < len(content):
        head = content[at : at + HEAD.size]
        magic, about_bytes, value_bytes, checksum = HEAD.unpack(head) if len(head) == HEAD.size else (b"", 0, 0, 0)
        body = content[at + HEAD.size : at + HEAD.size + about_bytes + value_bytes]
        if magic != MAGIC or len(body) != about_bytes + value_bytes or zlib.crc32(body) != checksum:
            yield None
            return
        key, timestamp_ms, headers = json.loads(body[:about_bytes])
        yield decode_record(timestamp_ms, key, headers, body[about_bytes:])
        at += HEAD.size + len(body)
