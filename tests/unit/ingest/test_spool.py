"""The spool on disk: what goes in comes out, across processes, tears and full disks."""

import os
from pathlib import Path

import pytest
from hypothesis import given

from ingest.spool import SUFFIX, Spool, SpoolPlace
from ingest.spool_format import HEAD, Torn, pack, unpack
from ingest.waiting import Message
from tests.fakes import FakeClock
from tests.strategies import frames, sheds, statuses
from tests.unit.ingest.fakes import frame, status


def spool(folder: Path, max_bytes: int = 1_000_000, segment_bytes: int = 5_000) -> Spool:
    return Spool(SpoolPlace(folder / "c", max_bytes, segment_bytes), FakeClock())


def files(folder: Path) -> list[Path]:
    return sorted((folder / "c").glob(f"*{SUFFIX}"))


def read_all(kept: Spool) -> list[Message]:
    found = []
    while (item := kept.next()) is not None:
        found.append(item[0])
    return found


@given(frames | sheds | statuses)
def test_what_is_packed_is_unpacked(message: Message) -> None:
    record = pack(message)
    assert unpack(record[: HEAD.size], record[HEAD.size :]) == message


def test_a_queue_over_many_segments_survives_its_process_and_nothing_stays_of_what_is_settled(tmp_path: Path) -> None:
    first = spool(tmp_path)
    messages: list[Message] = [frame(seq, size_bytes=1000) for seq in range(20)]
    messages.append(status(final=True, captured=20))
    assert all(first.append(message) for message in messages)
    assert len(files(tmp_path)) > 3
    first.close()
    second = spool(tmp_path)
    assert second.index.depth == 21
    for message in messages:
        item = second.next()
        assert item is not None
        assert item[0] == message
        second.settle(item[1])
    assert files(tmp_path) == []
    second.close()


def test_what_was_read_and_not_settled_is_there_after_a_crash(tmp_path: Path) -> None:
    first = spool(tmp_path)
    for seq in range(3):
        first.append(frame(seq))
    read_all(first)
    first.close()
    assert [item.seq for item in read_all(spool(tmp_path))] == [0, 1, 2]  # type: ignore[union-attr]  # frames


def test_a_full_spool_takes_nothing_and_takes_again_when_a_segment_is_done(tmp_path: Path) -> None:
    kept = spool(tmp_path, max_bytes=5_000, segment_bytes=1_500)
    taken = [kept.append(frame(seq, size_bytes=1000)) for seq in range(5)]
    assert taken == [True, True, True, False, False]
    item = kept.next()
    assert item is not None
    assert kept.settle(item[1])
    assert kept.append(frame(5, size_bytes=1000))


def test_a_torn_tail_ends_its_segment_and_those_before_it_are_whole(tmp_path: Path) -> None:
    first = spool(tmp_path)
    for seq in range(3):
        first.append(frame(seq, size_bytes=1000))
    first.close()
    path = files(tmp_path)[0]
    os.truncate(path, path.stat().st_size - 1)
    second = spool(tmp_path)
    assert [item.seq for item in read_all(second)] == [0, 1]  # type: ignore[union-attr]
    assert second.append(frame(9))
    assert len(files(tmp_path)) == 2  # nothing is written behind a tear


def test_a_damaged_record_gives_up_the_rest_of_its_segment_and_the_next_one_is_read(tmp_path: Path) -> None:
    first = spool(tmp_path, segment_bytes=3_000)
    for seq in range(4):
        first.append(frame(seq, size_bytes=1000))
    first.close()
    broken, whole = files(tmp_path)
    content = bytearray(broken.read_bytes())
    content[len(content) // 2 + 200] ^= 1  # in the second picture
    broken.write_bytes(content)
    second = spool(tmp_path)
    item = second.next()
    assert item is not None
    with pytest.raises(Torn, match="1 records can't be read back"):
        second.next()
    assert [message.seq for message in read_all(second)] == [2, 3]  # type: ignore[union-attr]
    assert whole.exists()


def test_a_file_of_something_else_is_no_spool_and_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / f"000000000007{SUFFIX}").write_bytes(b"not a record at all" * 10)
    kept = spool(tmp_path)
    assert read_all(kept) == []
    assert kept.append(frame(0))
    assert len(read_all(kept)) == 1


def test_a_second_process_is_refused_while_the_first_holds_it(tmp_path: Path) -> None:
    first = spool(tmp_path)
    with pytest.raises(BlockingIOError):
        spool(tmp_path)
    first.close()
    spool(tmp_path).close()


def test_a_disk_that_fills_up_in_the_middle_of_a_record_leaves_no_half_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = spool(tmp_path)
    kept.append(frame(0, size_bytes=1000))
    size_bytes = files(tmp_path)[0].stat().st_size
    real = os.pwrite

    def full(file: int, content: memoryview, offset: int) -> int:
        if offset > size_bytes:
            raise OSError(28, "No space left on device")
        return real(file, content[:10], offset)

    monkeypatch.setattr(os, "pwrite", full)
    with pytest.raises(OSError, match="No space left"):
        kept.append(frame(1, size_bytes=1000))
    monkeypatch.setattr(os, "pwrite", real)
    assert files(tmp_path)[0].stat().st_size == size_bytes
    kept.append(frame(2, size_bytes=1000))
    assert [item.seq for item in read_all(kept)] == [0, 2]  # type: ignore[union-attr]


def test_what_cannot_be_read_just_now_is_kept_and_read_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = spool(tmp_path)
    kept.append(frame(0))

    def refused(*_: object) -> bytes:
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pread", refused)
        with pytest.raises(OSError, match="Too many open files"):
            kept.next()
    assert [item.seq for item in read_all(kept)] == [0]  # type: ignore[union-attr]  # a frame


def test_what_is_put_back_is_read_first_by_the_next_process(tmp_path: Path) -> None:
    first = spool(tmp_path)
    first.append(frame(5))
    first.put_back([frame(3), frame(4)])
    first.close()
    assert [item.seq for item in read_all(spool(tmp_path))] == [3, 4, 5]  # type: ignore[union-attr]
