"""`andon bench` on a whole machine, to its end and until Ctrl-C."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import yaml

from deploy.sizing.measured import BenchFigures
from tests.detectors import DEMO_WEIGHTS

COMMAND = (sys.executable, "-m", "andon", "bench", "-c", "line.yaml", "--resolution", "vga", "--fps", "15", "--json")


@pytest.fixture
def folder(tmp_path: Path, model_cache: Path) -> Path:
    model = {"weights": str(DEMO_WEIGHTS), "cache": str(model_cache)}
    document = {"pools": {"default": {"model": model}}, "defects": {"ignore": ["part"]}}
    (tmp_path / "line.yaml").write_text(yaml.safe_dump(document))
    return tmp_path


def test_a_machine_is_measured_with_a_whole_line(folder: Path) -> None:
    done = subprocess.run(
        [*COMMAND, "--seconds", "90"], cwd=folder, capture_output=True, text=True, timeout=250, check=False
    )
    assert done.returncode == 0, done.stderr
    found = BenchFigures.model_validate_json(done.stdout)
    assert found.line is not None, found.not_measured
    assert found.seconds < 100
    assert found.line.cpu_ms["workers"] > found.line.cpu_ms["sinks"] > 0
    assert found.carried[0].cameras >= 1
    assert list(folder.iterdir()) == [folder / "line.yaml"]


def test_ctrl_c_during_the_line_gives_what_was_measured_and_leaves_no_process(folder: Path) -> None:
    log_file = folder / "said.log"
    with log_file.open("wb") as log:
        process = subprocess.Popen([*COMMAND, "--seconds", "200"], cwd=folder, stdout=subprocess.PIPE, stderr=log)
    try:
        children = line_of(process)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130, log_file.read_text()
    found = BenchFigures.model_validate_json(out)
    assert found.model is not None
    assert found.line is None
    assert "what would have come after Ctrl-C" in found.not_measured
    assert [child for child in children if child.is_running()] == []


def line_of(process: "subprocess.Popen[bytes]") -> list[psutil.Process]:
    """The line's processes, as soon as the worker is there: the servers are, too."""
    while process.poll() is None:
        children: list[psutil.Process] = psutil.Process(process.pid).children(recursive=True)
        if any("work" in words_of(child) for child in children):
            return children
        time.sleep(0.1)
    raise AssertionError("it ended before it started a line")


def words_of(process: psutil.Process) -> list[str]:
    try:
        return list(process.cmdline())
    except psutil.NoSuchProcess:
        return []
