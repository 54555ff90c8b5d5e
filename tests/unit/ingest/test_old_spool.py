"""The spool that version 0.1 left on disk is read once, into the database."""

import json
import zlib
from pathlib import Path

from andon import wire
from ingest.old_spool import HEAD, MAGIC, import_old
from ingest.queue import Message
from ingest.spool import Spool, SpoolPlace
from tests.unit.ingest.fakes import frame, status


def old_record(message: Message) -> bytes:
    record = wire.encode(message)
    headers = [(name, value.decode()) for name, value in record.headers]
    about = json.dumps([record.key.decode(), record.timestamp_ms, headers], separators=(",", ":")).encode()
    checksum = zlib.crc32(record.value, zlib.crc32(about))
    return HEAD.pack(MAGIC, len(about), len(record.value), checksum) + about + record.value


def opened(folder: Path, damage: list[str]) -> Spool:
    spool = Spool(SpoolPlace(folder, 10_000_000))
    import_old(spool, folder, damage.append)
    return spool


def test_an_older_versions_files_are_stored_in_order_and_removed(tmp_path: Path) -> None:
    (tmp_path / "000999999999.spool").write_bytes(old_record(frame(0)))
    (tmp_path / "001000000001.spool").write_bytes(old_record(frame(1)) + old_record(frame(2)))
    (tmp_path / "001000000002.spool").write_bytes(old_record(status(final=True, captured=3)))
    damage: list[str] = []
    spool = opened(tmp_path, damage)
    assert [message for _, message in spool.read(-1, 10, 10**9)] == [
        frame(0),
        frame(1),
        frame(2),
        status(final=True, captured=3),
    ]
    assert (spool.records, spool.last_position) == (4, 3)
    assert not list(tmp_path.glob("*.spool"))
    assert damage == []
    spool.close()
    again = opened(tmp_path, damage)
    assert again.records == 4
    again.close()


def test_a_torn_file_gives_what_stands_before_the_tear_and_a_line_for_the_rest(tmp_path: Path) -> None:
    torn = tmp_path / "001000000001.spool"
    torn.write_bytes(old_record(frame(0)) + old_record(frame(1))[:-1])
    (tmp_path / "001000000002.spool").write_bytes(old_record(frame(2)))
    damage: list[str] = []
    spool = opened(tmp_path, damage)
    assert [message for _, message in spool.read(-1, 10, 10**9)] == [frame(0), frame(2)]
    assert damage == [f"{torn}: the records behind the first 1 can't be read back"]
    spool.close()
