"""A child's log keeps its end, within a size, whatever the child writes."""

import logging.handlers
from pathlib import Path

import pytest

from deploy.local.child import Child
from deploy.local.rotating_log import MAX_LINE_BYTES, LogLimits, RotatingLog, last_words


def text_of(folder: Path) -> str:
    """All log files, the oldest first."""
    return "".join(path.read_text() for path in sorted(folder.glob("role.log*"), reverse=True))


def test_a_log_keeps_its_newest_lines_within_size_and_count(tmp_path: Path) -> None:
    log = RotatingLog(tmp_path / "role.log", LogLimits(max_bytes=100, files=3))
    for number in range(100):
        log.write(f"line {number:03}\n".encode())
    log.close()
    files = sorted(tmp_path.iterdir())
    assert [path.name for path in files] == ["role.log", "role.log.1", "role.log.2"]
    assert all(path.stat().st_size <= 100 for path in files)
    lines = text_of(tmp_path).splitlines()
    assert lines == [f"line {number:03}" for number in range(100 - len(lines), 100)]
    assert len(lines) > 20


def test_chunks_are_put_together_to_lines_and_the_last_one_needs_no_newline(tmp_path: Path) -> None:
    lines: list[str] = []
    log = RotatingLog(tmp_path / "role.log", LogLimits(), lines.append)
    for chunk in (b"on", b"e\ntw", b"o\n\nthree"):
        log.write(chunk)
    assert lines == ["one", "two", ""]
    log.close()
    assert lines == ["one", "two", "", "three"]
    assert (tmp_path / "role.log").read_text() == "one\ntwo\n\nthree\n"


def test_a_line_without_an_end_is_cut_into_pieces(tmp_path: Path) -> None:
    lines: list[str] = []
    log = RotatingLog(tmp_path / "role.log", LogLimits(), lines.append)
    for _ in range(5):
        log.write(b"x" * MAX_LINE_BYTES)
    log.close()
    assert max(map(len, lines)) <= 2 * MAX_LINE_BYTES
    assert sum(map(len, lines)) == 5 * MAX_LINE_BYTES


def test_a_full_disk_stops_the_log_and_not_the_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    log = RotatingLog(tmp_path / "role.log", LogLimits(), lines.append)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(logging.handlers.RotatingFileHandler, "shouldRollover", full)
    log.write(b"one\n")
    assert lines == ["one"]
    log.close()


@pytest.mark.parametrize(
    ("log", "why"),
    [
        ("one\ntwo\nthree\n", "three"),
        ("", ""),
        ("process.started role=work\nandon work: weights: m.pt: no such file\nbye\n", "weights: m.pt: no such file"),
        ("Traceback (most recent call last):\n  File 'x', line 1\nOSError: gone\n\n", "OSError: gone"),
        ("java.io.IOException: disk full\n\tat kafka.Kafka.main(Kafka.scala:1)\n\t... 3 more\n", "disk full"),
    ],
)
def test_of_a_log_the_line_is_shown_that_says_why_its_process_ended(tmp_path: Path, log: str, why: str) -> None:
    path = tmp_path / "role.log"
    path.write_text(log)
    line = last_words(path)
    assert line.endswith(why)
    assert bool(line) == bool(why)
    assert "|" not in line


def test_a_log_that_is_not_there_says_nothing(tmp_path: Path) -> None:
    assert last_words(tmp_path / "none.log") == ""


def test_the_tail_of_a_huge_log_reads_its_end_alone(tmp_path: Path) -> None:
    path = tmp_path / "role.log"
    with path.open("wb") as file:
        file.seek(2**40)  # a sparse file: read whole, it would take a terabyte of memory
        file.write(b"\nthe end\n")
    assert last_words(path) == "the end"


def test_a_childs_log_is_rotated_and_whole_once_it_has_ended(tmp_path: Path) -> None:
    script = "for number in $(seq -w 0 999); do echo line $number; done"
    child = Child("role", ["/bin/sh", "-c", script], tmp_path / "role.log", limits=LogLimits(4_000, 4))
    child.wait(60.0)
    assert child.last_words() == "line 999"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["role.log", "role.log.1", "role.log.2"]
    assert text_of(tmp_path).split("\n")[:2] == ["line 000", "line 001"]
