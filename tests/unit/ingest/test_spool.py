"""The spool on disk: what goes in comes out, across processes, damage and full disks."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from ingest.queue import Message
from ingest.spool import NAME, Spool, SpoolPlace, is_damage, readable, reason, set_aside
from ingest.spooled_queue import ReadRow, Row
from tests.fakes import START
from tests.strategies import frames, sheds, statuses
from tests.unit.ingest.fakes import frame, status


def place(folder: Path, max_bytes: int = 10_000_000, *, fsync: bool = False) -> SpoolPlace:
    return SpoolPlace(folder / "c", max_bytes, fsync)


def size_bytes(where: SpoolPlace) -> int:
    """Of all its files."""
    return sum(path.stat().st_size for path in where.folder.iterdir())


def read_all(spool: Spool) -> list[ReadRow]:
    return spool.read(0, 1000, 10**9)


def positions(spool: Spool) -> list[int]:
    return [position for position, _ in read_all(spool)]


@settings(deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(message=frames | sheds | statuses)
def test_a_message_comes_back_as_it_was_stored(tmp_path: Path, message: Message) -> None:
    spool = Spool(place(tmp_path))
    spool.append([(0, message)])
    assert read_all(spool) == [(0, message)]
    spool.remove()
    spool.close()


@pytest.mark.parametrize("fsync", [False, True])
def test_stored_messages_survive_their_process_until_they_are_deleted(tmp_path: Path, fsync: bool) -> None:
    first = Spool(place(tmp_path, fsync=fsync))
    rows: list[Row] = [(seq, frame(seq, size_bytes=1000)) for seq in range(20)]
    rows.append((20, status(final=True, captured=20)))
    assert first.append(rows) == 21
    assert first.oldest_ms == int(START.timestamp() * 1000)
    first.close()
    second = Spool(place(tmp_path, fsync=fsync))
    assert (second.first, second.end) == (0, 21)
    assert [message for _, message in read_all(second)] == [message for _, message in rows]
    second.delete(through=17)
    assert positions(second) == [18, 19, 20]
    second.delete(through=20)
    assert (second.empty, second.size_bytes, second.oldest_ms) == (True, 0, None)
    second.close()


def test_reading_goes_on_behind_a_position_and_keeps_to_its_bounds(tmp_path: Path) -> None:
    spool = Spool(place(tmp_path))
    spool.append([(seq, frame(seq, size_bytes=1000)) for seq in range(10)])
    assert [position for position, _ in spool.read(4, 2, 10**9)] == [4, 5]
    assert [position for position, _ in spool.read(4, 9, 1500)] == [4, 5]
    assert [position for position, _ in spool.read(4, 9, 1)] == [4]
    spool.close()


def test_a_full_spool_takes_nothing_more_until_something_is_deleted(tmp_path: Path) -> None:
    where = place(tmp_path, 2_000_000)
    spool = Spool(where)
    stored = 0
    while spool.append([(stored, frame(stored, size_bytes=100_000))]):
        stored += 1
        assert size_bytes(where) <= where.max_bytes
    assert stored >= 10
    spool.delete(through=2)
    taken = [spool.append([(seq, frame(seq, size_bytes=100_000))]) for seq in range(stored, stored + 5)]
    assert taken == [1, 1, 1, 0, 0]
    assert size_bytes(where) <= where.max_bytes
    spool.close()


def test_a_spool_whose_share_becomes_smaller_or_larger_keeps_what_it_has_and_obeys(tmp_path: Path) -> None:
    spool = Spool(place(tmp_path))
    assert spool.append([(seq, frame(seq, size_bytes=100_000)) for seq in range(10)]) == 10
    spool.bound(500_000)
    assert spool.append([(10, frame(10, size_bytes=100_000))]) == 0
    assert positions(spool) == list(range(10))
    spool.bound(10_000_000)
    assert spool.append([(10, frame(10, size_bytes=100_000))]) == 1
    spool.close()


def test_the_files_stay_within_the_bound_however_long_the_spool_is_in_use(tmp_path: Path) -> None:
    where = place(tmp_path, 3_000_000)
    spool = Spool(where)
    for seq in range(200):
        assert spool.append([(seq, frame(seq, size_bytes=100_000))]) == 1
        spool.delete(through=seq - 10)
        assert size_bytes(where) <= where.max_bytes
    spool.close()


@pytest.mark.parametrize("frame_bytes", [20_000, 60_000, 200_000, 300_000])
def test_the_files_stay_within_the_bound_however_many_frames_come_at_a_time(tmp_path: Path, frame_bytes: int) -> None:
    where = place(tmp_path, 30_000_000)
    spool = Spool(where)
    rows: list[Row] = [(seq, frame(seq, size_bytes=frame_bytes)) for seq in range(30_000_000 // frame_bytes * 3)]
    while rows:
        stored = spool.append(rows[:16])
        rows = rows[stored:]
        assert size_bytes(where) <= where.max_bytes
        if not stored:
            spool.delete(through=spool.first + 5_000_000 // frame_bytes)
    spool.close()


def test_a_spool_holds_three_files_open_however_large_it_is(tmp_path: Path) -> None:
    before = len(os.listdir("/proc/self/fd"))
    spool = Spool(place(tmp_path, 100_000_000))
    for seq in range(100):
        spool.append([(seq, frame(seq, size_bytes=200_000))])
    assert len(read_all(spool)) == 100
    assert len(os.listdir("/proc/self/fd")) - before <= 3
    spool.close()
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_second_process_is_refused_while_the_first_holds_it(tmp_path: Path) -> None:
    first = Spool(place(tmp_path))
    with pytest.raises(BlockingIOError) as refusal:
        Spool(place(tmp_path))
    assert reason(refusal.value) == "another process holds this camera's spool"
    first.close()
    Spool(place(tmp_path)).close()


def test_a_removed_spool_gives_its_disk_space_back(tmp_path: Path) -> None:
    first = Spool(place(tmp_path))
    first.append([(seq, frame(seq, size_bytes=100_000)) for seq in range(20)])
    first.remove()
    first.close()
    assert size_bytes(place(tmp_path)) == 0
    second = Spool(place(tmp_path))
    assert second.empty
    assert second.append([(20, frame(20))]) == 1
    second.close()


def test_a_deletion_writes_no_zeros_over_what_it_deletes(tmp_path: Path) -> None:
    """Debian's SQLite does so by default; that doubles what a spooled frame costs."""
    spool = Spool(place(tmp_path, 100_000_000))
    spool.append([(seq, frame(seq, size_bytes=200_000)) for seq in range(16)])
    log = tmp_path / "c" / f"{NAME}-wal"
    spool._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    assert log.stat().st_size == 0
    spool.delete(through=14)
    assert log.stat().st_size < 2_000_000
    spool.close()


def test_what_a_process_holds_in_memory_is_kept_in_its_place_and_never_twice(tmp_path: Path) -> None:
    first = Spool(place(tmp_path))
    first.append([(5, frame(5))])
    first.keep([(3, frame(3)), (4, frame(4)), (5, frame(5))])
    first.close()
    second = Spool(place(tmp_path))
    assert positions(second) == [3, 4, 5]
    second.close()


def test_a_file_that_is_no_database_is_damaged_and_set_aside(tmp_path: Path) -> None:
    where = place(tmp_path)
    where.folder.mkdir()
    (where.folder / NAME).write_bytes(b"not a database at all" * 500)
    with pytest.raises(sqlite3.DatabaseError) as failure:
        Spool(where)
    assert is_damage(failure.value, opening=True)
    assert set_aside(where).read_bytes().startswith(b"not a database")
    spool = Spool(where)
    assert spool.append([(0, frame(0))]) == 1
    spool.close()


def test_of_a_damaged_database_everything_is_read_back_that_can_be(tmp_path: Path) -> None:
    where = place(tmp_path, 100_000_000)
    first = Spool(where)
    messages: list[Row] = [(seq, frame(seq, size_bytes=100_000)) for seq in range(100)]
    first.keep(messages)
    first.close()
    path = where.folder / NAME
    content = bytearray(path.read_bytes())
    middle = len(content) // 2 // 16_384 * 16_384
    content[middle : middle + 32_768] = b"\xff" * 32_768
    path.write_bytes(content)
    with pytest.raises(sqlite3.DatabaseError) as failure, closing(Spool(where)) as second:  # whichever page it is
        second.read(0, 1000, 10**9)
    assert is_damage(failure.value, opening=False)
    rows = list(readable(set_aside(where), 10))
    assert 70 <= len(rows) < 90
    assert set(map(repr, rows)) <= set(map(repr, messages[10:]))
    assert not path.exists()


def test_a_record_that_another_version_wrote_is_passed_over(tmp_path: Path) -> None:
    first = Spool(place(tmp_path))
    first.append([(0, frame(0)), (1, frame(1))])
    first.close()
    with sqlite3.connect(tmp_path / "c" / NAME) as database:
        database.execute(
            "UPDATE message SET about = CAST(replace(about, 'frame.v1', 'frame.v9') AS BLOB) WHERE position = 0"
        )
    database.close()
    second = Spool(place(tmp_path))
    assert read_all(second) == [(0, None), (1, frame(1))]
    second.close()


@pytest.mark.parametrize("about", ["x'ff00'", "'{}'", "'[1'", "'[\"c\", 5]'"])
def test_a_record_whose_headers_are_damaged_is_passed_over(tmp_path: Path, about: str) -> None:
    first = Spool(place(tmp_path))
    first.append([(0, frame(0)), (1, frame(1))])
    first.close()
    with sqlite3.connect(tmp_path / "c" / NAME) as database:
        database.execute(f"UPDATE message SET about = {about} WHERE position = 0")  # a test's own text
    database.close()
    second = Spool(place(tmp_path))
    assert read_all(second) == [(0, None), (1, frame(1))]
    second.close()


def test_a_part_of_the_disk_that_cannot_be_read_is_damage_unless_the_disk_has_yet_to_wake_up() -> None:
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = sqlite3.SQLITE_IOERR_READ
    assert is_damage(error, opening=False)
    assert not is_damage(error, opening=True)


def test_a_disk_without_room_is_no_damage_and_reported_as_such() -> None:
    error = sqlite3.OperationalError("database or disk is full")
    error.sqlite_errorcode = sqlite3.SQLITE_FULL
    assert not is_damage(error, opening=False)
    assert reason(error) == "No space left on device"


def test_a_folder_that_cannot_be_had_is_reported_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "c").write_text("a file stands in its place")
    with pytest.raises(OSError, match=r"File exists|Not a directory") as failure:
        Spool(place(tmp_path))
    assert reason(failure.value) in ("File exists", "Not a directory")
