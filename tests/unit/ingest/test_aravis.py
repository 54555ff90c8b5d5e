"""Aravis is loaded only for a camera that needs it, and its absence is one line."""

import importlib.machinery
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from andon import cli
from ingest.sources import aravis
from ingest.sources.aravis import library
from ingest.sources.source import SourceError


@pytest.fixture
def without_bindings(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Python that has no PyGObject, on a host that has none for it."""
    monkeypatch.setattr(aravis, "PLACES", ())
    monkeypatch.setitem(sys.modules, "gi", None)


@pytest.mark.usefixtures("without_bindings")
def test_a_missing_library_is_one_line_that_says_what_to_install() -> None:
    with pytest.raises(SourceError) as caught:
        library()
    line = str(caught.value)
    assert line.startswith("industrial cameras need the library Aravis (")
    assert "apt-get install gir1.2-aravis-0.8 python3-gi" in line
    assert "\n" not in line


@pytest.mark.usefixtures("without_bindings")
def test_config_check_names_a_camera_whose_library_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("good.onnx").write_bytes(b"x")
    Path("line.yaml").write_text(
        "cameras: [{id: press, url: 'gige:2301'}]\npools: {default: {model: {weights: good.onnx}}}\n"
    )
    result = CliRunner().invoke(cli.main, ["config", "check"], catch_exceptions=False)
    assert result.exit_code == 2
    assert "camera press: industrial cameras need the library Aravis" in result.stderr


def test_bindings_of_another_version_of_python_are_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gi").mkdir()
    (tmp_path / "gi" / "__init__.py").write_text("raise AssertionError('loaded')")
    (tmp_path / "gi" / "_gi.cpython-38-x86_64-linux-gnu.so").touch()
    monkeypatch.setattr(aravis, "PLACES", (tmp_path,))
    monkeypatch.setitem(sys.modules, "gi", None)
    with pytest.raises(SourceError, match="industrial cameras need the library Aravis"):
        library()


def test_bindings_that_fail_to_load_leave_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gi").mkdir()
    (tmp_path / "gi" / "__init__.py").write_text("raise ImportError('libgirepository is missing')")
    (tmp_path / "gi" / f"_gi{importlib.machinery.EXTENSION_SUFFIXES[0]}").touch()
    monkeypatch.setattr(aravis, "PLACES", (tmp_path,))
    monkeypatch.setitem(sys.modules, "gi", None)
    with pytest.raises(SourceError, match="libgirepository is missing"):
        library()
    assert sys.modules.get("gi") is None


def test_ingest_loads_none_of_it_unless_such_a_camera_is_opened() -> None:
    code = (
        "import sys, ingest.role, ingest.check, ingest.commands.camera\n"
        "sys.exit(any(name == 'gi' or name.startswith('gi.') for name in sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=120).returncode == 0
