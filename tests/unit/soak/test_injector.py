import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from deploy.local.child import Child
from tests.soak.injector import closed, locked, stopped


def test_a_closed_folder_refuses_files_and_keeps_its_own(tmp_path: Path) -> None:
    folder = tmp_path / "evidence"
    folder.mkdir()
    (folder / "1.jpg").write_bytes(b"picture")
    with closed(folder), pytest.raises(OSError, match="Not a directory"):
        (folder / "2.jpg").write_bytes(b"picture")
    assert [path.name for path in folder.iterdir()] == ["1.jpg"]


def test_a_folder_that_does_not_exist_can_be_closed(tmp_path: Path) -> None:
    with closed(tmp_path / "evidence"):
        pass
    assert list((tmp_path / "evidence").iterdir()) == []


def test_a_locked_store_can_be_read_but_not_written_until_it_is_released(tmp_path: Path) -> None:
    store = tmp_path / "andon.db"
    with closing(sqlite3.connect(store, timeout=0.0, isolation_level=None)) as line:
        line.execute("PRAGMA journal_mode=WAL")
        line.execute("CREATE TABLE frames (seq INTEGER)")
        with locked(store):
            assert line.execute("SELECT * FROM frames").fetchall() == []
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                line.execute("INSERT INTO frames VALUES (1)")
        line.execute("INSERT INTO frames VALUES (1)")
        assert line.execute("SELECT * FROM frames").fetchall() == [(1,)]


def test_a_stopped_process_goes_on_afterwards_even_when_the_soak_fails() -> None:
    child = Child("sleeper", ["/bin/sleep", "60"])

    def fail_inside() -> None:
        with stopped(child.pid):
            assert os.WIFSTOPPED(os.waitpid(child.pid, os.WUNTRACED)[1])
            raise RuntimeError("interrupted")

    try:
        with pytest.raises(RuntimeError, match="interrupted"):
            fail_inside()
        assert os.WIFCONTINUED(os.waitpid(child.pid, os.WCONTINUED)[1])
    finally:
        child.kill()
