"""Old evidence goes by age and by size, the oldest first, and nothing else does."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import date
from pathlib import Path
from uuid import uuid4

import fsspec
import pytest
from fsspec.implementations.local import LocalFileSystem

from andon.errors import RetryableError
from sinks.channels.evidence_retention import EvidenceRetention, FileCounts
from sinks.channels.files import Files

SIZE = 1000
ALL_DAYS = date(2000, 1, 1)


@pytest.fixture(params=["folder", "object store"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "evidence") if request.param == "folder" else f"memory://{uuid4().hex}"


def retention(url: str, max_bytes: int = 1_000_000) -> EvidenceRetention:
    return EvidenceRetention(Files(url), max_bytes, nullcontext)


def fill(url: str, *paths: str) -> None:
    files = Files(url)
    for path in paths:
        files.write(path, bytes(SIZE))


def left(url: str) -> list[str]:
    filesystem, root = fsspec.core.url_to_fs(url)
    return sorted(str(path).removeprefix(f"{root}/") for path in filesystem.find(root))


def test_pictures_from_before_the_date_go_with_their_notes(url: str) -> None:
    fill(url, "a/2026-01-01/1.jpg", "a/2026-01-01/2.expired.json", "b/2026-01-02/1.jpg")
    assert retention(url).prune(date(2026, 1, 2)) == FileCounts(2, 2 * SIZE)
    assert left(url) == ["b/2026-01-02/1.jpg"]


def test_the_oldest_pictures_of_all_cameras_go_until_the_rest_fits(url: str) -> None:
    fill(url, "a/2026-01-02/1.jpg", "b/2026-01-01/1.jpg", "b/2026-01-01/2.jpg", "b/2026-01-03/1.jpg")
    assert retention(url, 2 * SIZE).prune(ALL_DAYS) == FileCounts(2, 2 * SIZE)
    assert left(url) == ["a/2026-01-02/1.jpg", "b/2026-01-03/1.jpg"]


def test_the_oldest_clips_go_before_any_picture(url: str) -> None:
    fill(
        url, *(f"a/2026-01-0{day}/1.{kind}" for day in (1, 2, 3) for kind in ("jpg", "mp4")), "a/2026-01-01/1.part.mp4"
    )
    assert retention(url, 4 * SIZE).prune(ALL_DAYS) == FileCounts(3, 3 * SIZE)
    assert left(url) == ["a/2026-01-01/1.jpg", "a/2026-01-02/1.jpg", "a/2026-01-03/1.jpg", "a/2026-01-03/1.mp4"]
    assert retention(url, 2 * SIZE).prune(ALL_DAYS) == FileCounts(2, 2 * SIZE)
    assert left(url) == ["a/2026-01-02/1.jpg", "a/2026-01-03/1.jpg"]


def test_of_one_day_the_first_pictures_go_first(url: str) -> None:
    fill(url, *(f"a/2026-01-01/20260101T0{hour}0000.jpg" for hour in range(5)))
    retention(url, 2 * SIZE + 10).prune(ALL_DAYS)
    assert left(url) == [f"a/2026-01-01/20260101T0{hour}0000.jpg" for hour in (3, 4)]


def test_a_file_that_no_sink_wrote_stays(url: str) -> None:
    foreign = ["a/2026-01-01/notes.txt", "a/old/1.jpg", "readme.jpg"]
    fill(url, *foreign, "a/2026-01-01/1.jpg")
    retention(url, 1).prune(date(2026, 1, 2))
    assert left(url) == sorted(foreign)


def test_a_dry_run_says_the_same_and_deletes_nothing(url: str) -> None:
    fill(url, "a/2026-01-01/1.jpg", "a/2026-01-02/1.jpg", "a/2026-01-03/1.jpg")
    pruning = retention(url, SIZE)
    counted = pruning.prune(date(2026, 1, 2), dry_run=True)
    assert len(left(url)) == 3
    assert pruning.prune(date(2026, 1, 2)) == counted == FileCounts(2, 2 * SIZE)


def test_a_place_where_nothing_was_ever_written_is_no_error(url: str) -> None:
    assert retention(url).prune(date(2026, 1, 2)) == FileCounts()


def test_two_that_prune_at_once_count_each_file_once_and_keep_what_fits(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(url, *(f"a/2026-01-0{day}/1.jpg" for day in range(1, 7)))
    counts: list[FileCounts] = []
    remove = Files.remove

    def interrupted(files: Files, path: str) -> bool:
        """The other one does its whole pass before our first deletion."""
        monkeypatch.setattr(Files, "remove", remove)
        counts.append(retention(url, 2 * SIZE).prune(ALL_DAYS))
        return files.remove(path)

    monkeypatch.setattr(Files, "remove", interrupted)
    counts.append(retention(url, 2 * SIZE).prune(ALL_DAYS))
    assert sum(count.files for count in counts) == 4
    assert left(url) == ["a/2026-01-05/1.jpg", "a/2026-01-06/1.jpg"]


def test_empty_folders_go_with_their_last_picture(tmp_path: Path) -> None:
    fill(str(tmp_path), "a/2026-01-01/1.jpg", "a/2026-01-02/1.jpg")
    retention(str(tmp_path)).prune(date(2026, 1, 2))
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["2026-01-02"]


def test_a_storage_that_refuses_is_an_error_to_try_again_after(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: object, **_options: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(LocalFileSystem, "ls", refuse)
    with pytest.raises(RetryableError, match=r"can't look into .*: Permission denied"):
        retention(str(tmp_path)).prune(date(2026, 1, 2))


def test_each_call_to_the_storage_has_a_time_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limited: list[bool] = []
    outside: list[str] = []

    @contextmanager
    def limit() -> Iterator[None]:
        limited.append(True)
        yield
        limited.pop()

    def noting(name: str, call: Callable[..., object]) -> Callable[..., object]:
        def noted(*args: str) -> object:
            if not limited:
                outside.append(name)
            return call(*args)

        return noted

    fill(str(tmp_path), "a/2026-01-01/1.jpg", "a/2026-01-02/1.jpg")
    for name in ("folders", "files", "remove", "remove_empty"):
        monkeypatch.setattr(Files, name, noting(name, getattr(Files, name)))
    assert EvidenceRetention(Files(str(tmp_path)), 1, limit).prune(date(2026, 1, 2)).files == 2
    assert outside == []
