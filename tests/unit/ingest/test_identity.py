"""An ingester is known again after a crash, and two processes never bear one name."""

from pathlib import Path

from ingest.identity import FILE, identity


def test_the_name_is_the_same_after_a_restart_and_another_one_in_another_folder(tmp_path: Path) -> None:
    with identity(tmp_path / "spool") as first:
        assert first
    with identity(tmp_path / "spool") as again, identity(tmp_path / "other") as other:
        assert again == first != other
        assert other


def test_a_second_process_in_the_same_folder_has_no_name(tmp_path: Path) -> None:
    with identity(tmp_path) as first, identity(tmp_path) as second:
        assert first
        assert second == ""


def test_an_ingester_whose_folder_can_not_be_written_has_no_name(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with identity(tmp_path / "file") as name:
        assert name == ""


def test_a_name_that_was_damaged_is_replaced(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"\xff\xfe\n")
    with identity(tmp_path) as name:
        assert name == ""
    (tmp_path / FILE).write_text("no name at all")
    with identity(tmp_path) as name:
        assert name.rpartition("-")[2].isalnum()
